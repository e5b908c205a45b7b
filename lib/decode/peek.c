/* The first pass over a burst, one frame at a time (ics_peek.h). Called where no loop of its own is worth while. */
#include "ics_peek.h"

enum ics_class
ics_peek(const struct ics_frame *f, const struct ics_decode_conf *conf)
{
	if (ics_unlikely(f->cap_len < ICS_PEEK_LEN || f->link != ICS_LINK_ETHERNET || f->stripped_tci != ICS_VLAN_NONE))
		return ICS_CLASS_COUNT;
	return ics_peek_ether(f->data, f->wire_len, conf->tunnels != 0);
}

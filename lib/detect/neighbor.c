/* What the neighbor detectors share: who may answer for others, whose address matters more, and who routes. Called by
 * them when something is out of the ordinary, never for each message.
 */
#include "detect_priv.h"

bool
ics_detect_may_answer_dad(const struct ics_detector *d, const struct ics_msg *msg)
{
	struct ics_msg_options it = {0};
	struct ics_view opt;

	if (ics_model_is_proxy(d->model, &msg->smac) || (msg->na.has_lla && ics_model_is_proxy(d->model, &msg->na.lla)))
		return true;
	/* A registrar of 6LoWPAN (RFC 8505 4.1) says that it answers as one. */
	while (ics_msg_option_next(msg, &it, &opt))
		if (ics_view_u8(opt, 0) == ICS_OPT_EARO)
			return true;
	return false;
}

bool
ics_detect_is_router_addr(const struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	return ics_model_is_gateway(d->model, addr) || ics_model_router_find(d->model, segment, addr) != NULL;
}

bool
ics_detect_is_router_mac(const struct ics_detector *d, uint32_t segment, const struct ics_mac *mac)
{
	const struct ics_host *h = ics_model_host_find(d->model, segment, mac);

	return ics_model_is_shared_mac(d->model, mac) ||
	       (h != NULL && (h->flags & (ICS_HOST_ROUTER | ICS_HOST_ROUTER_HINT)));
}

bool
ics_detect_is_resolver(const struct ics_detector *d, uint32_t segment, const struct ics_ip *addr)
{
	for (const struct ics_prefix *p = ics_model_segment_prefix(d->model, segment, NULL); p != NULL;
	     p = ics_model_segment_prefix(d->model, segment, p))
		if (p->kind == ICS_PREFIX_RDNSS && ics_ip_equal(&p->value, addr))
			return true;
	return false;
}

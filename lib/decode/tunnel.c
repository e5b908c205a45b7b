/* Mirror and tunnel encapsulations, looked into only where the configuration names them: VXLAN (RFC 7348), Geneve
 * (RFC 8926), GRE (RFC 2784, 2890) with ERSPAN II and III, IP in IP (RFC 2003, 2473) and 6in4 (RFC 4213). The
 * innermost frame then is the one that is judged.
 */
#include "decode.h"

enum { PORT_VXLAN = 4789, PORT_VXLAN_LINUX = 8472, PORT_GENEVE = 6081 };

static enum step
enter(struct walk *w, uint32_t header_len, enum step inner)
{
	struct ics_pkt *pkt = w->pkt;

	if (pkt->tunnel_depth == ICS_TUNNEL_DEPTH_MAX || header_len >= w->end - w->off)
		return STEP_DONE;
	pkt->tunnel_depth++;
	pkt->encap |= ICS_ENCAP_TUNNEL;
	pkt->flags = 0;
	w->off += header_len;
	if (inner == STEP_ETHERNET) {
		pkt->vlan[0] = pkt->vlan[1] = ICS_VLAN_NONE;
		pkt->n_tags = 0;
		pkt->n_labels = 0;
		pkt->encap &= ICS_ENCAP_TUNNEL;
	}
	return inner;
}

static enum step
by_ethertype(uint16_t type)
{
	return type == ICS_ETHERTYPE_TEB   ? STEP_ETHERNET
	       : type == ICS_ETHERTYPE_IP4 ? STEP_IP4
	       : type == ICS_ETHERTYPE_IP6 ? STEP_IP6
					   : STEP_DONE;
}

static enum step
walk_udp(struct walk *w)
{
	struct ics_view v = ics_view_sub(w->pkt->frame, w->off, w->end - w->off);
	uint16_t port = ics_view_be16(v, 2);

	if ((port == PORT_VXLAN || port == PORT_VXLAN_LINUX) && (w->conf->tunnels & ICS_TUNNEL_VXLAN) != 0) {
		/* I flag set: the network identifier is valid (RFC 7348 5) */
		if (ics_view_has(v, 8, 8) && (v.p[8] & 0x08) != 0)
			return enter(w, 16, STEP_ETHERNET);
	} else if (port == PORT_GENEVE && (w->conf->tunnels & ICS_TUNNEL_GENEVE) != 0) {
		/* version 0, options in words of four (RFC 8926 3.4) */
		if (ics_view_has(v, 8, 8) && v.p[8] >> 6 == 0) {
			enum step inner = by_ethertype(ics_load_be16(v.p + 10));

			return inner == STEP_DONE ? STEP_DONE : enter(w, 16 + (v.p[8] & 0x3fu) * 4, inner);
		}
	}
	return STEP_DONE;
}

static enum step
walk_gre(struct walk *w)
{
	struct ics_view v = ics_view_sub(w->pkt->frame, w->off, w->end - w->off);
	uint16_t flags, type, vlan = ICS_VLAN_NONE;
	uint32_t len = 4;
	enum step inner;

	if (!ics_view_has(v, 0, 4))
		return STEP_DONE;
	flags = ics_load_be16(v.p);
	type = ics_load_be16(v.p + 2);
	if ((flags & 0x4007) != 0) /* routing present, or another version */
		return STEP_DONE;
	len += ((flags & 0x8000) ? 4 : 0) + ((flags & 0x2000) ? 4 : 0) + ((flags & 0x1000) ? 4 : 0);
	if (type == ICS_ETHERTYPE_ERSPAN || type == ICS_ETHERTYPE_ERSPAN3) {
		if (!(w->conf->tunnels & ICS_TUNNEL_ERSPAN))
			return STEP_DONE;
		inner = STEP_ETHERNET;
		if (type == ICS_ETHERTYPE_ERSPAN3) {
			if (!ics_view_has(v, len, 12))
				return STEP_DONE;
			vlan = ics_load_be16(v.p + len) & 0x0fff;
			len += 12 + ((v.p[len + 11] & 1) ? 8 : 0);
		} else if ((flags & 0x1000) != 0) { /* type II has a sequence number and a header, type I neither */
			if (!ics_view_has(v, len, 8))
				return STEP_DONE;
			vlan = ics_load_be16(v.p + len) & 0x0fff;
			len += 8;
		}
	} else {
		if (!(w->conf->tunnels & ICS_TUNNEL_GRE))
			return STEP_DONE;
		inner = by_ethertype(type);
	}
	if (inner == STEP_DONE)
		return STEP_DONE;
	inner = enter(w, len, inner);
	if (inner == STEP_ETHERNET && vlan != ICS_VLAN_NONE && vlan != 0)
		ics_walk_add_tag(w, vlan);
	return inner;
}

enum step
ics_walk_tunnel(struct walk *w)
{
	switch (w->pkt->proto) {
	case ICS_PROTO_UDP:
		return walk_udp(w);
	case ICS_PROTO_GRE:
		return walk_gre(w);
	case ICS_PROTO_IPIP:
		return w->conf->tunnels & ICS_TUNNEL_IPIP ? enter(w, 0, STEP_IP4) : STEP_DONE;
	case ICS_PROTO_IP6:
		return w->conf->tunnels & ICS_TUNNEL_6IN4 ? enter(w, 0, STEP_IP6) : STEP_DONE;
	default:
		return STEP_DONE;
	}
}

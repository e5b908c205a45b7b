/* The choice of rss.h. A Toeplitz hash of (source, destination) is symmetric when its key repeats every 16 bits: each address
 * is then a multiple of 16 bits away from the other one's place. Called by port.c.
 */
#include "rss.h"

#include <string.h>

static uint8_t symmetric_key[RSS_KEY_MAX];

static void
make_key(void)
{
	for (unsigned i = 0; i < RSS_KEY_MAX; i += 2) {
		symmetric_key[i] = 0x6d;
		symmetric_key[i + 1] = 0x5a;
	}
}

enum port_rss
rss_without_key(struct rte_eth_conf *c)
{
	c->rx_adv_conf.rss_conf.rss_key = NULL;
	c->rx_adv_conf.rss_conf.rss_key_len = 0;
	return PORT_RSS_ONE_WAY;
}

enum port_rss
rss_choose(const struct rte_eth_dev_info *info, unsigned queues, struct rte_eth_conf *c)
{
	/* Ports are left out: later fragments of a packet have none. */
	uint64_t by = RTE_ETH_RSS_IP & info->flow_type_rss_offloads;

	if (queues <= 1)
		return PORT_RSS_SYMMETRIC;
	if (by == 0)
		return PORT_RSS_NONE;
	c->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	c->rx_adv_conf.rss_conf.rss_hf = by;
	if (info->hash_key_size == 0 || info->hash_key_size > RSS_KEY_MAX)
		return rss_without_key(c);
	make_key();
	c->rx_adv_conf.rss_conf.rss_key = symmetric_key;
	c->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	return PORT_RSS_SYMMETRIC;
}

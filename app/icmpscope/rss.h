/* How frames are spread over several receive queues: by addresses alone and the same for both directions, so that a flow and
 * the fragments of a packet stay with one worker. What has no addresses goes to queue 0.
 */
#ifndef ICMPSCOPE_RSS_H
#define ICMPSCOPE_RSS_H

#include <rte_ethdev.h>

enum port_rss {
	PORT_RSS_SYMMETRIC, /* or there is one queue */
	PORT_RSS_ONE_WAY,   /* directions may go different ways: the key is the driver's */
	PORT_RSS_NONE,      /* all goes to queue 0 */
};

/* Longest key of a driver; RSS_KEY_STEP octets repeated make a Toeplitz hash the same for swapped addresses. */
#define RSS_KEY_MAX 64

/* Fills in what *c has to do with it. c->rx_adv_conf points to a static key. */
enum port_rss rss_choose(const struct rte_eth_dev_info *info, unsigned queues, struct rte_eth_conf *c);
/* For a driver that refused the key: its own. */
enum port_rss rss_without_key(struct rte_eth_conf *c);

#endif

/* How frames are spread over queues: both directions of a flow come to the same one, whatever the driver takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "rss.h"

#include <rte_thash.h>
#include <string.h>

static struct rte_eth_dev_info info;
static struct rte_eth_conf conf;

static enum port_rss
choose(uint64_t offloads, unsigned key_size, unsigned queues)
{
	memset(&info, 0, sizeof(info));
	memset(&conf, 0, sizeof(conf));
	info.flow_type_rss_offloads = offloads;
	info.hash_key_size = (uint8_t)key_size;
	return rss_choose(&info, queues, &conf);
}

static void
test_one_queue_needs_nothing(void **state)
{
	assert_int_equal(choose(RTE_ETH_RSS_IP, 40, 1), PORT_RSS_SYMMETRIC);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
}

static void
test_no_hash(void **state)
{
	assert_int_equal(choose(0, 40, 4), PORT_RSS_NONE);
	assert_int_equal(choose(RTE_ETH_RSS_L2_PAYLOAD, 40, 4), PORT_RSS_NONE);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
}

static void
test_key_of_the_driver(void **state)
{
	assert_int_equal(choose(RTE_ETH_RSS_IP, 0, 4), PORT_RSS_ONE_WAY);
	assert_int_equal(choose(RTE_ETH_RSS_IP, RSS_KEY_MAX + 1, 4), PORT_RSS_ONE_WAY);
	assert_null(conf.rx_adv_conf.rss_conf.rss_key);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
}

/* By addresses alone, or later fragments would go elsewhere. */
static void
test_addresses_alone(void **state)
{
	assert_int_equal(choose(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP, 40, 4), PORT_RSS_SYMMETRIC);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_IP);
	assert_int_equal(choose(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP, 52, 4), PORT_RSS_SYMMETRIC);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_IPV4);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 52);
}

static uint32_t
hash(const uint32_t *a, const uint32_t *b, unsigned words)
{
	uint32_t tuple[8];

	memcpy(tuple, a, words * 4);
	memcpy(tuple + words, b, words * 4);
	return rte_softrss(tuple, 2 * words, conf.rx_adv_conf.rss_conf.rss_key);
}

static void
test_both_directions(void **state)
{
	uint32_t seen = 0, x = 1;

	assert_int_equal(choose(RTE_ETH_RSS_IP, 40, 4), PORT_RSS_SYMMETRIC);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t a[4], b[4];

		for (unsigned k = 0; k < 4; k++) {
			a[k] = x = x * 1664525u + 1013904223u;
			b[k] = x = x * 1664525u + 1013904223u;
		}
		assert_int_equal(hash(a, b, 1), hash(b, a, 1));
		assert_int_equal(hash(a, b, 4), hash(b, a, 4));
		seen |= 1u << (hash(a, b, 4) % 4);
	}
	/* ... and all queues get some. */
	assert_int_equal(seen, 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_queue_needs_nothing), cmocka_unit_test(test_no_hash),
		cmocka_unit_test(test_key_of_the_driver),       cmocka_unit_test(test_addresses_alone),
		cmocka_unit_test(test_both_directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

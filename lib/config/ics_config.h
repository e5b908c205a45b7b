/* Every setting of every program, from one table (keys.def): INI file and --set go through the same checks, the
 * documented config/icmpscope.ini is checked against the table, and an invalid file changes nothing.
 */
#ifndef ICS_CONFIG_H
#define ICS_CONFIG_H

#include "ics_decode.h"

#define ICS_CONFIG_LIST_MAX 64
#define ICS_CONFIG_ERR_LEN 640
#define ICS_CONFIG_DEVICES_MAX 16

struct ics_ip_list {
	unsigned n;
	struct ics_ip ip[ICS_CONFIG_LIST_MAX];
};

struct ics_mac_list {
	unsigned n;
	struct ics_mac mac[ICS_CONFIG_LIST_MAX];
};

/* One maintenance window: detect.mute = DETECTOR[@ADDRESS|@MAC|@vlanN][/ISO-TIME], ... */
struct ics_mute {
	char detector[40]; /* "*" for all */
	enum { ICS_MUTE_ALL, ICS_MUTE_IP, ICS_MUTE_MAC, ICS_MUTE_VLAN } scope;
	struct ics_ip ip;
	struct ics_mac mac;
	uint16_t vlan;
	uint64_t until_ns; /* UINT64_MAX: for good */
};

/* What a worker does when nothing comes. */
enum ics_idle { ICS_IDLE_POLL, ICS_IDLE_PAUSE, ICS_IDLE_SLEEP };

enum ics_sandbox_mode { ICS_SANDBOX_OFF, ICS_SANDBOX_TRY, ICS_SANDBOX_ON };

struct ics_config {
	struct {
		uint32_t learn_s;
		struct ics_ip_list gateways;
		struct ics_ip_list routers_allow;
		struct ics_ip_list queriers_allow;
		struct ics_mac_list proxies;
		struct ics_mac_list anycast_gw_macs;
		struct ics_ip_list watch;
		struct ics_ip_list nondefault_ok;
		uint32_t link_mtu;
		uint32_t r0_victims;
		uint32_t route_limit;
		uint32_t pfx_hosts;
		uint32_t nce_limit;
		uint32_t groups_per_host;
		uint32_t table_cap;
		uint32_t table_model; /* 0 group, 1 port, 2 port2 */
		uint32_t hosts_per_port;
		uint32_t mld_pps_warn;
		uint32_t mld_pps_crit;
		uint32_t mld_version;
		bool snooping;
		uint32_t journal_days;
		unsigned n_mutes;
		struct ics_mute mute[ICS_CONFIG_LIST_MAX];
	} detect;
	struct ics_decode_conf decode;
	struct {
		unsigned n_devices;
		char device[ICS_CONFIG_DEVICES_MAX][256]; /* as -p */
	} port;
	struct {
		char cpus[128];       /* as -w; empty: planned */
		uint32_t ring_urgent; /* 64-byte elements, a power of two */
		uint32_t ring_bulk;
		uint32_t idle; /* enum ics_idle */
		bool trust_ptype;
	} worker;
	struct {
		bool realtime;
	} control;
	struct {
		bool enable;
		uint32_t every;       /* 0: as many as fit */
		uint32_t filter_bits; /* a power of two */
	} sample;
	struct {
		char file[256];  /* empty: no history is kept */
		uint32_t max_mb; /* 0: no limit */
	} history;
	struct {
		char file[256]; /* as long as that of history; empty: nothing is kept */
	} state;
	struct {
		char file[256];  /* as long as that of history; empty: no journal is written */
		uint32_t max_mb; /* of a file; 0: no limit */
		uint32_t max_age_h;
		uint32_t keep;                /* earlier files */
		char appliance[64], site[64]; /* as long as eal.file_prefix; empty: not said */
	} journal;
	struct {
		char dir[256]; /* as long as history.file; empty: no evidence is written */
		uint32_t max_files, max_mb;
	} evidence;
	struct {
		char servers[512];       /* empty: no fleet */
		char ca[256], cert[256]; /* as long as that of history; empty: none */
		char key[256], nkey[256], creds[256];
		char reader_nkey[256];
		char cursor[256];
		char stream[64]; /* as long as eal.file_prefix */
		uint32_t replicas, max_age_d, max_gb;
	} fleet;
	struct {
		uint32_t enable; /* enum ics_sandbox_mode */
		char user[64];   /* as long as eal.file_prefix; empty: none is become */
	} sandbox;
	struct {
		char file[256]; /* as long as that of history; empty: vendors are not named */
	} vendor;
	struct {
		char file_prefix[64]; /* of DPDK's runtime directory; "icmpscope" */
		uint32_t memory_mb;   /* 0: planned */
	} eal;
};

/* Defaults of every key. */
void ics_config_init(struct ics_config *c);
/* Reads an INI file on top of *c. On error *c is unchanged, the return is -errno (-EINVAL for contents) and err
 * says file, line, section, key and what is allowed, in one line.
 */
int ics_config_load(struct ics_config *c, const char *path, char err[static ICS_CONFIG_ERR_LEN]);
/* Applies "SECTION.KEY=VALUE"; the same contract. */
int ics_config_set(struct ics_config *c, const char *assignment, char err[static ICS_CONFIG_ERR_LEN]);

/* Row i of the table for documents and checks; false past the last. */
struct ics_config_key {
	const char *section, *key, *type, *def, *allowed, *text;
	bool live; /* SIGHUP applies it; else a restart does */
};
bool ics_config_key(unsigned i, struct ics_config_key *out);

/* The value of row i as it would stand in the file, cut where it is longer than size. */
#define ICS_CONFIG_VALUE_LEN 8192
void ics_config_value(const struct ics_config *c, unsigned i, char *buf, size_t size);
/* Row i of *c becomes what it is in *from. */
void ics_config_take(struct ics_config *c, const struct ics_config *from, unsigned i);
/* Who knows the detectors: detect.mute then takes no names that are none. Once, before anything is read. */
void ics_config_know_detectors(bool (*is_detector)(const char *name));

#endif

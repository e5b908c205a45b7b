/* Internal to lib/config: a row of the table, and how the text of a value becomes the member it names. */
#ifndef ICS_CONFIG_ROW_H
#define ICS_CONFIG_ROW_H

#include "ics_config.h"

enum ics_config_type {
	ICS_CONFIG_U32,
	ICS_CONFIG_POW2,
	ICS_CONFIG_BOOL,
	ICS_CONFIG_MODEL,
	ICS_CONFIG_SANDBOX,
	ICS_CONFIG_IDLE,
	ICS_CONFIG_TUNNELS,
	ICS_CONFIG_CPUS,
	ICS_CONFIG_NAME,
	ICS_CONFIG_LABEL, /* a name or nothing */
	ICS_CONFIG_PATH,
	ICS_CONFIG_SERVERS,
	/* lists from here on */
	ICS_CONFIG_IPS,
	ICS_CONFIG_MACS,
	ICS_CONFIG_MUTES,
	ICS_CONFIG_DEVICES,
};

struct ics_config_row {
	const char *section, *key;
	enum ics_config_type type;
	size_t off; /* of the member; of a list: of the array or of the struct that holds it */
	uint32_t lo, hi;
	bool live; /* SIGHUP applies it */
	const char *def, *allowed, *text;
};

static inline bool
ics_config_is_list(const struct ics_config_row *row)
{
	return row->type >= ICS_CONFIG_IPS;
}

/* Both read text into the row's member of *c. NULL, or what is wrong with the text in a few words; *c may then
 * hold part of it.
 */
const char *ics_config_read_scalar(struct ics_config *c, const struct ics_config_row *row, const char *text);
/* Adds the elements to those there are. An empty text has none. */
const char *ics_config_read_list(struct ics_config *c, const struct ics_config_row *row, const char *text);
void ics_config_empty_list(struct ics_config *c, const struct ics_config_row *row);

/* config.c. Row i of the table; NULL past the last. */
const struct ics_config_row *ics_config_row(unsigned i);
/* scalar.c. Tunnel i by name and its bit, NULL past the last single one; the word for a model. */
const char *ics_config_tunnel(unsigned i, uint32_t *bit);
const char *ics_config_model(uint32_t model);
const char *ics_config_sandbox(uint32_t mode);
const char *ics_config_idle(uint32_t idle);

/* Cuts the next element off *rest, without the blanks around it; NULL when there is none left. */
char *ics_config_next_element(char **rest);

#endif

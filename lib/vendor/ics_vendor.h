/* Who made a network interface, by the registry of the IEEE as Debian's package ieee-data brings it (oui.txt, or oui.csv
 * and its companions). Optional: without the file nobody has a name. Loaded once at start, before any other thread runs;
 * read by anyone after that.
 */
#ifndef ICS_VENDOR_H
#define ICS_VENDOR_H

#include "ics_wire.h"

#define ICS_VENDOR_FILE "/usr/share/ieee-data/oui.txt"
#define ICS_VENDOR_MAX 262144           /* prefixes */
#define ICS_VENDOR_NAME_LEN 48          /* longer names are cut */
#define ICS_VENDOR_FILE_MAX (64u << 20) /* octets */
#define ICS_VENDOR_ERR_LEN 256

/* 0, or -errno with a sentence in err and what was loaded before untouched: -ENOENT when there is no such file,
 * -EFBIG, -EINVAL when it holds no registrations. Lines that are none are skipped.
 */
int ics_vendor_load(const char *path, char err[static ICS_VENDOR_ERR_LEN]);
/* The same for a program of one thread: the file is opened now and read when the first name is asked for, which most runs
 * never do. What is wrong with what it holds is told by ics_vendor_late(), 0 as long as nobody asked.
 */
int ics_vendor_load_later(const char *path, char err[static ICS_VENDOR_ERR_LEN]);
int ics_vendor_late(char err[static ICS_VENDOR_ERR_LEN]);
void ics_vendor_free(void);
/* Prefixes that are loaded. */
unsigned ics_vendor_count(void);
/* Printable ASCII; "locally administered" for an address that somebody made up, "" when the list does not have it or
 * there is none.
 */
const char *ics_vendor_name(const struct ics_mac *mac);

#endif

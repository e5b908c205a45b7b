/* Address space for tables: the kernel fills it in as it is touched, so that neither an empty table nor a growing one
 * takes time or memory ahead. What is looked up at random in many small pages misses the TLB each time, so large
 * tables get pages of 2 MB: of small tables, nobody clears so much.
 */
#ifndef ICS_PAGES_H
#define ICS_PAGES_H

#include <stddef.h>

#define ICS_PAGES_LARGE (2u << 20)

/* Zeros, from a large page's boundary on; NULL when there is no address space. */
void *ics_pages_reserve(size_t len);
void ics_pages_free(void *p, size_t len); /* p: NULL is fine */
/* From now on that of len octets at p which is not touched yet comes in large pages; what is there in small ones the
 * kernel brings together in its own time. Not at once (MADV_COLLAPSE): that takes up to 7 ms.
 */
void ics_pages_prefer_large(void *p, size_t len);

#endif

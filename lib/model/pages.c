/* Address space and pages of tables (ics_pages.h). All of it is a wish: kernels without large pages, or without one to
 * spare, leave things as they are. Called by table.c and frames.c.
 */
#include "ics_pages.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096u

void *
ics_pages_reserve(size_t len)
{
	size_t more = len >= ICS_PAGES_LARGE ? ICS_PAGES_LARGE : 0;
	uint8_t *p = mmap(NULL, len + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before = -(uintptr_t)p % ICS_PAGES_LARGE;

	if (p == MAP_FAILED)
		return NULL;
	if (more == 0)
		return p;
	if (before != 0)
		(void)munmap(p, before);
	p += before;
	(void)munmap(p + (len + PAGE - 1) / PAGE * PAGE, more - before);
	return p;
}

void
ics_pages_free(void *p, size_t len)
{
	if (p != NULL)
		(void)munmap(p, len);
}

void
ics_pages_prefer_large(void *p, size_t len)
{
	(void)madvise(p, len, MADV_HUGEPAGE);
}

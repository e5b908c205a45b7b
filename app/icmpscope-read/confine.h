/* What a reader of files from strangers gives away before it opens the first. */
#ifndef ICMPSCOPE_READ_CONFINE_H
#define ICMPSCOPE_READ_CONFINE_H

/* Where it may write: names of files, or of directories that are there; NULL is none. As far as the kernel goes, and in silence:
 * a reader without it is as good as any other.
 */
void confine(const char *const *outputs, unsigned n);

#endif

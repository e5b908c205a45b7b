/* Reads the journal of another process line by line, across its rotations, and remembers on file how far its reader came
 * (docs/fleet.md). Files are known by inode and by the running number of their lines, never by name alone: FILE becomes FILE.1
 * at any moment. Says how many lines are missing when rotation was faster.
 */
#ifndef ICS_FOLLOW_H
#define ICS_FOLLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICS_FOLLOW_ERR_LEN 512
#define ICS_FOLLOW_BOOT_LEN 40
/* Earlier files that are looked for whatever is kept: another program may do the rotation. */
#define ICS_FOLLOW_FILES_MIN 32
#define ICS_FOLLOW_FILES_MAX 1001

/* The place behind a line. */
struct ics_follow_pos {
	uint64_t dev, ino, off;         /* 0: only the line is known */
	uint64_t line, seq;             /* line 0: nothing was read yet */
	uint64_t mark;                  /* of the reader: where its copy of the line is */
	char boot[ICS_FOLLOW_BOOT_LEN]; /* the run that wrote it */
};

/* ---- cursor.c: a place on file ---- */

struct ics_cursor {
	int fd;
	uint64_t generation;
	bool dirty;
	bool damaged; /* it was there, and neither half of it is whole */
	uint64_t who; /* whose journal it is about */
};
/* who: names of site and appliance; a cursor of another one is refused. *pos is what it holds, zeros when it holds nothing. 0, or
 * -errno, and err says in one line what is wrong.
 */
int ics_cursor_open(struct ics_cursor *c, const char *path, const char *who, struct ics_follow_pos *pos,
		    char err[static ICS_FOLLOW_ERR_LEN]);
/* Survives the death of the process at once, that of the machine after the next sync. 0 or -errno. */
int ics_cursor_write(struct ics_cursor *c, const struct ics_follow_pos *pos);
int ics_cursor_sync(struct ics_cursor *c);
void ics_cursor_close(struct ics_cursor *c);

/* ---- follow.c ---- */

struct ics_follow;

struct ics_follow_line {
	const char *text; /* without its newline; valid until the next call, as doc is */
	size_t len;
	const json_t *doc, *own; /* all of it; its object "icmpscope" */
	struct ics_follow_pos pos;
	/* Before this line: how many are missing that the journal does not tell as lost; anew: nobody knows, because the
	 * journal was removed and begun again.
	 */
	uint64_t missing;
	bool anew;
};

/* keep: earlier files that the writer keeps. NULL and errno. */
struct ics_follow *ics_follow_new(const char *path, uint32_t keep);
void ics_follow_free(struct ics_follow *f);
/* Goes on behind this line; zeros: at the oldest line there is. */
void ics_follow_seek(struct ics_follow *f, const struct ics_follow_pos *after);
/* 1: *l is the next line; 0: there is none yet; -errno: the file cannot be read (ENOENT: there is none yet). */
int ics_follow_next(struct ics_follow *f, struct ics_follow_line *l);
/* Lines that are no lines of a journal and were passed over. */
uint64_t ics_follow_damaged(const struct ics_follow *f);
/* Octets behind the place in the file that is read now; 0 at its end. */
uint64_t ics_follow_behind(const struct ics_follow *f);

/* What a line says of itself: 0, or -EINVAL when it is none. *doc is to be released; doc NULL: only the place is wanted. */
int ics_follow_parse(const char *text, size_t len, json_t **doc, struct ics_follow_pos *pos);

#endif

/* The file system as landlock shows it: everything may be read, nothing executed, nothing written but in the places of the
 * configuration. The numbers of the interface are here, because Debian 12's headers are older than the kernels that it
 * meets. Called by sandbox.c.
 */
#include "sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule 445
#define __NR_landlock_restrict_self 446
#endif

/* Of <linux/landlock.h>, newer than its first version. */
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)
#define NET_BIND_TCP (1ull << 0)
#define NET_CONNECT_TCP (1ull << 1)
#define FS_FIRST ((1ull << 13) - 1)

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE)

/* struct landlock_ruleset_attr as far as it is used; a kernel that knows less takes less. */
struct rules {
	uint64_t fs, net;
};

static const uint64_t rights[] = {
	[SANDBOX_WRITE] = READ | WRITE,
	[SANDBOX_REMOVE] = LANDLOCK_ACCESS_FS_REMOVE_FILE,
	[SANDBOX_DEVICE] = READ | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_IOCTL_DEV,
};

/* Rights that this version of landlock governs. */
static struct rules
governed(unsigned abi)
{
	struct rules r = {.fs = FS_FIRST};

	if (abi >= 2)
		r.fs |= FS_REFER;
	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 4)
		r.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	return r;
}

static int
allow(int rules, const char *dir, uint64_t access, char err[static SANDBOX_ERR_LEN])
{
	struct landlock_path_beneath_attr beneath = {.allowed_access = access};
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;

	/* What is not there needs no rule. */
	if (rc == -ENOENT)
		return 0;
	beneath.parent_fd = fd;
	if (rc == 0 && syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		snprintf(err, SANDBOX_ERR_LEN, "no rule of landlock for %.255s: %s", dir, strerror(-rc));
	return rc;
}

bool
sandbox_add_dir(struct sandbox_conf *c, const char *dir, enum sandbox_right right)
{
	struct sandbox_place *p = &c->place[c->n_places];

	if (c->n_places == SANDBOX_PLACES_MAX || strlen(dir) >= sizeof(p->dir))
		return false;
	snprintf(p->dir, sizeof(p->dir), "%s", dir);
	p->right = right;
	c->n_places++;
	return true;
}

bool
sandbox_add_dir_of(struct sandbox_conf *c, const char *file, enum sandbox_right right)
{
	const char *slash = strrchr(file, '/');
	char dir[256];

	if (slash == NULL)
		return sandbox_add_dir(c, ".", right);
	if ((size_t)(slash - file) >= sizeof(dir))
		return false;
	snprintf(dir, sizeof(dir), "%.*s", slash == file ? 1 : (int)(slash - file), file);
	return sandbox_add_dir(c, dir, right);
}

int
sandbox_files_make(const struct sandbox_conf *c, unsigned *abi, char err[static SANDBOX_ERR_LEN])
{
	long version = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct rules r;
	int rules, rc;

	*abi = 0;
	if (version < 0) {
		rc = -errno;
		snprintf(err, SANDBOX_ERR_LEN, "landlock is refused (%s), as in a container that hides it",
			 strerror(-rc));
		return rc;
	}
	r = governed((unsigned)version);
	rules = (int)syscall(__NR_landlock_create_ruleset, &r, version >= 4 ? sizeof(r) : sizeof(r.fs), 0);
	if (rules < 0) {
		rc = -errno;
		snprintf(err, SANDBOX_ERR_LEN, "no rules of landlock: %s", strerror(-rc));
		return rc;
	}
	rc = allow(rules, "/", READ & r.fs, err);
	for (unsigned i = 0; i < c->n_places && rc == 0; i++)
		rc = allow(rules, c->place[i].dir, rights[c->place[i].right] & r.fs, err);
	if (rc != 0) {
		close(rules);
		return rc;
	}
	*abi = (unsigned)version;
	return rules;
}

int
sandbox_files_obey(int rules)
{
	return syscall(__NR_landlock_restrict_self, rules, 0) == 0 ? 0 : -errno;
}

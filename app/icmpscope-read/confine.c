/* Files are read that may have been made to break their reader, often by root. So before the first is opened: no new privileges,
 * no program is run, nothing is written but beside the outputs that were asked for, no TCP (landlock), and of
 * capabilities those alone with which root reads and writes other people's files. Called by main.c.
 */
#include "confine.h"

#include "../icmpscope/sandbox_priv.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#define READS_FILES ((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH))

void
confine(const char *const *outputs, unsigned n)
{
	static struct sandbox_conf c;
	char err[SANDBOX_ERR_LEN];
	struct stat st;
	unsigned abi;
	int rules;

	for (unsigned i = 0; i < n; i++) {
		if (outputs[i] == NULL)
			continue;
		/* No room for a name: then it is better not to stand in the way. */
		if (!(stat(outputs[i], &st) == 0 && S_ISDIR(st.st_mode)
			      ? sandbox_add_dir(&c, outputs[i], SANDBOX_WRITE)
			      : sandbox_add_dir_of(&c, outputs[i], SANDBOX_WRITE)))
			return;
	}
	rules = sandbox_files_make(&c, &abi, err);
	(void)sandbox_thread_bound(NULL);
	if (rules >= 0) {
		(void)sandbox_files_obey(rules);
		close(rules);
	}
	(void)sandbox_thread_keep(READS_FILES);
}

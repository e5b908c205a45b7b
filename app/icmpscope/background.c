/* Where threads run that write files (background.h). Called by historian.c and keeper.c. */
#include "background.h"

#include "sandbox.h"

#include <sched.h>
#include <signal.h>

static void
choose_cpus(cpu_set_t *set, const struct plan_in *facts, const struct plan *plan)
{
	unsigned cpu[PLAN_CPUS_MAX], n = plan_background(facts, plan, cpu);

	CPU_ZERO(set);
	for (unsigned i = 0; i < n; i++)
		CPU_SET(cpu[i], set);
}

int
background_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *arg, const struct plan_in *facts,
		 const struct plan *plan)
{
	sigset_t all, before;
	pthread_attr_t attr;
	cpu_set_t cpus;
	int rc;

	choose_cpus(&cpus, facts, plan);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	/* Signals are for the control core, but those of the sandbox. */
	sigfillset(&all);
	sandbox_keep_signals(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_setname_np(*thread, name);
	return -rc;
}

/*
 * fault.h: named points where tests let a process die, fail or wait; nothing at all without WF_TESTING.
 *
 * A point is WF_FAULT("room.what"), a statement, at a step of a protocol: behind a change and before what makes it
 * known, and the other way round. The name is a literal and stands in one place only, so that the harness finds all
 * of them in the sources. A point may be anywhere where interrupts are processed: in no critical section, and with no
 * spinlock held.
 *
 * One point is armed at a time, by tests, for the whole server (for this process without shared_preload_libraries):
 *
 *   wf_sql_test_fault(spec text) RETURNS text     'name:action[:nth[:ms]]', '' for none, '?' to change nothing; gives
 *                                                 what was armed until now
 *
 *   kill         the process that comes there dies by SIGKILL, so the server crashes and recovers
 *   postmaster   the postmaster dies by SIGKILL, then the process
 *   segv         the process gets SIGSEGV, as from a wrong pointer
 *   error        an error (XX000) is raised
 *   sleep        waits `ms` (default 1000), and can be cancelled
 *   hold         waits until something else, or nothing, is armed, and can be cancelled
 *
 * A server that finds the file `workflow.fault` in its data directory when it begins, also after a crash, arms what the
 * file's one line says, and deletes the file: so are points reached that come before anybody can connect. Those have
 * names that begin with "crash.", and the kill tests do not wait for them.
 *
 * `nth` (default 1): the first so many minus one that come there go on. What was reached disarms itself, and a crash
 * disarms.
 */
#ifndef WF_BASE_FAULT_H
#define WF_BASE_FAULT_H

#include "postgres.h"

#ifdef WF_TESTING
#define WF_FAULT(name) \
	do { \
		if (unlikely(*wf_fault_armed)) \
			wf_fault_reach(name); \
	} while (0)

extern volatile bool *wf_fault_armed;
extern void wf_fault_reach(const char *name);
/* Asks for shared memory, when preloaded; once from _PG_init. */
extern void wf_fault_init(void);
#else
#define WF_FAULT(name) ((void) 0)
#define wf_fault_init() ((void) 0)
#endif

#endif

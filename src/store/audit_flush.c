/*
 * audit_flush.c: the commit of a transaction with entries gives up the trail's lock before it waits for the disk.
 *
 * PostgreSQL flushes a commit's WAL, and waits for synchronous standbys, while it holds all locks. Commits that need one lock, as
 * those with entries of one tenant do, would each wait for a flush of their own: a disk that takes a millisecond gives a thousand
 * a second, however many sessions there are, where others share a flush.
 *
 * 1. When entries are written, just before the commit, the transaction commits as if synchronous_commit were off.
 * 2. When it has committed and its locks are released, the setting is as before, and the WAL is flushed up to the commit, and the
 *    standbys are waited for: nobody is told that it committed before that. Flushes are shared again.
 *
 * What follows in the chain follows in the WAL: a crash loses an end of it, never a middle. What differs is what others see in
 * between: the rows of a commit that is not on disk, as they do of all where synchronous_commit is off. Whoever writes because of
 * what he saw flushes that along with his own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "replication/syncrep.h"
#include "store/audit.h"
#include "utils/resowner.h"

static bool is_put_off = false;
static int	level;				/* synchronous_commit, as it was */

static void
put_back(void)
{
	if (is_put_off)
		synchronous_commit = level;
	is_put_off = false;
}

void
wf_audit_flush_later(void)
{
	if (is_put_off || synchronous_commit <= SYNCHRONOUS_COMMIT_OFF)
		return;
	level = synchronous_commit;
	is_put_off = true;
	synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		put_back();
}

/* Nothing here can fail, as nothing may. */
static void
at_release(ResourceReleasePhase phase, bool is_commit, bool is_top, void *arg)
{
	if (!is_put_off || !is_top || phase != RESOURCE_RELEASE_AFTER_LOCKS)
		return;
	put_back();
	if (!is_commit || XLogRecPtrIsInvalid(XactLastCommitEnd))
		return;
	XLogFlush(XactLastCommitEnd);
	SyncRepWaitForLSN(XactLastCommitEnd, true);
}

void
wf_audit_flush_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterResourceReleaseCallback(at_release, NULL);
}

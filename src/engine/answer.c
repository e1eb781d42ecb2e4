/*
 * answer.c: what the block `respond` says.
 *
 * The first answer of a run is kept while somebody waits for it (wf_webhook, in whose transaction the run is). It is an
 * effect of its node like any other: when the branch that it is part of is rolled back, so is the answer, and a later one
 * counts; when the run fails there is none. Runs may be nested, since what a run does may call wf_webhook again; so those
 * that somebody waits for are a chain, the innermost first.
 */
#include "postgres.h"

#include "access/xact.h"
#include "engine/answer.h"

static Run *waiting = NULL;		/* run->waiting_outside has the next */

Run *
wf_answer_wait(Run *run)
{
	Run		   *before = waiting;

	run->wants_answer = true;
	run->waiting_outside = before;
	waiting = run;
	return before;
}

void
wf_answer_stop(Run *before)
{
	waiting = before;
}

Run *
wf_answer_waiting(void)
{
	return waiting;
}

bool
wf_answer_give(Run *run, const Jsonb *answer)
{
	MemoryContext old;
	JsonbValue	root;

	if (!run->wants_answer || run->answer != NULL)
		return false;
	wf_json_root(answer, &root);
	old = MemoryContextSwitchTo(run->memory);
	run->answer = wf_json_copy(&root);
	MemoryContextSwitchTo(old);
	run->answered_in = GetCurrentSubTransactionId();
	return true;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	for (Run *run = waiting; run != NULL; run = run->waiting_outside)
	{
		if (run->answer == NULL || run->answered_in != mine)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
			run->answer = NULL;
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			run->answered_in = parent;
	}
}

void
wf_answer_init(void)
{
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/*
 * transaction.c: one transaction, and its error as a value.
 *
 * An error is caught here and nowhere else in this room: the transaction is aborted before anybody acts on the
 * error, and no process of ours ends for one. Shutdown is FATAL and passes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/worker.h"

ErrorData *
wf_transaction(void (*work) (void *arg), void *arg, bool *committing)
{
	MemoryContext memory = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	bool		ignored;
	volatile bool *at_commit = committing != NULL ? committing : &ignored;

	*at_commit = false;
	SetCurrentStatementStartTimestamp();
	PG_TRY();
	{
		StartTransactionCommand();
		MemoryContextSwitchTo(memory);
		work(arg);
		*at_commit = true;
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		QueryCancelPending = false;
		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();	/* of whatever subtransactions are open, too */
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	(void) pgstat_report_stat(false);
	return error;
}

void
wf_transaction_open(MemoryContext memory)
{
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(memory);
}

void
wf_transaction_close(MemoryContext memory)
{
	PopActiveSnapshot();
	SPI_finish();
	MemoryContextSwitchTo(memory);
}

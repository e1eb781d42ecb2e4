/*
 * subtransaction.c: one subtransaction, and its error as a value.
 *
 * Who goes on after an error has to roll back, to take up the memory context and the resource owner again, and to let pass
 * what is not the work's own trouble: it is written here once. Where more hangs on it (attempts of nodes, segments) the
 * engine has its own (attempt.c, segment.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/subtransaction.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

ErrorData *
wf_subtransaction(void (*work) (void *arg), void *arg)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	const int	nest_level = GetCurrentTransactionNestLevel();

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		work(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		while (GetCurrentTransactionNestLevel() > nest_level)
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (error != NULL && wf_error_is_fatal(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

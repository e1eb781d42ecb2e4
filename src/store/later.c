/*
 * later.c: messages that are written at the end of a statement, many together.
 *
 * A statement that changes ten thousand rows fires a row trigger ten thousand times. Each firing sends a message; to
 * open the queue and its indexes for each costs as much as the rows themselves. So they are kept until
 *
 * 1. the statement ends (ExecutorFinish fires AFTER triggers; COPY is a utility statement), so that the next one sees them,
 * 2. there are many of them, or they are large,
 * 3. the subtransaction in which they were sent, or the transaction, is about to commit.
 *
 * A message belongs to the subtransaction in which it was sent: only there is it written, and when that is rolled back it is
 * forgotten. Nobody can tell the difference but what runs within the same statement.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "store/runtime.h"
#include "tcop/utility.h"
#include "utils/memutils.h"

#define MOST_MESSAGES 1000
#define MOST_BYTES (4 * 1024 * 1024)

typedef struct Later
{
	SubTransactionId subxact;
	WfMessage	message;
} Later;

/* In a context below TopTransactionContext; NULL: none since the transaction began. */
static MemoryContext memory = NULL;
static Later *later = NULL;
static int	n_later = 0;
static int	later_size = 0;
static Size later_bytes = 0;

static ExecutorFinish_hook_type previous_finish = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

static void
forget_all(void)
{
	memory = NULL;
	later = NULL;
	n_later = 0;
	later_size = 0;
	later_bytes = 0;
}

static Jsonb *
copy(const Jsonb *json)
{
	Jsonb	   *result;

	if (json == NULL)
		return NULL;
	result = MemoryContextAlloc(memory, VARSIZE(json));
	memcpy(result, json, VARSIZE(json));
	later_bytes += VARSIZE(json);
	return result;
}

static bool
has_any(SubTransactionId subxact)
{
	for (int i = n_later - 1; i >= 0; i--)
		if (later[i].subxact == subxact)
			return true;
	return false;
}

/*
 * Writes those of the current subtransaction. Not in parallel mode, where nobody may write: a statement that ends there is
 * part of another one, which ends later.
 */
static void
write_now(void)
{
	SubTransactionId subxact = GetCurrentSubTransactionId();
	WfMessage  *messages;
	int			n = 0;
	int			kept = 0;

	if (IsInParallelMode() || !has_any(subxact))
		return;
	messages = MemoryContextAlloc(memory, sizeof(WfMessage) * n_later);
	for (int i = 0; i < n_later; i++)
		if (later[i].subxact == subxact)
			messages[n++] = later[i].message;
		else
			later[kept++] = later[i];
	n_later = kept;
	wf_store_send(messages, n);
	pfree(messages);
	if (n_later == 0)
	{
		MemoryContext empty = memory;

		forget_all();
		MemoryContextDelete(empty);
	}
}

void
wf_store_send_later(const WfMessage *messages, int n)
{
	for (int i = 0; i < n; i++)
	{
		Later	   *item;

		if (n_later >= MOST_MESSAGES || later_bytes >= MOST_BYTES)
			write_now();
		if (memory == NULL)
			memory = AllocSetContextCreate(TopTransactionContext, "workflow messages", ALLOCSET_DEFAULT_SIZES);
		if (n_later == later_size)
		{
			later_size = later_size == 0 ? 4 : later_size * 4;
			later = later == NULL ? MemoryContextAlloc(memory, sizeof(Later) * later_size) :
				repalloc(later, sizeof(Later) * later_size);
		}
		item = &later[n_later];
		item->subxact = GetCurrentSubTransactionId();
		item->message = messages[i];
		item->message.payload = copy(messages[i].payload);
		item->message.options = copy(messages[i].options);
		item->message.known = copy(messages[i].known);
		n_later++;
	}
}

int
wf_store_n_later(void)
{
	return n_later;
}

/* -- when -- */

static void
on_finish(QueryDesc *query)
{
	if (previous_finish != NULL)
		previous_finish(query);
	else
		standard_ExecutorFinish(query);
	if (n_later > 0)
		write_now();
}

static void
on_utility(PlannedStmt *statement, const char *text, bool read_only_tree, ProcessUtilityContext context,
		   ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
	if (previous_utility != NULL)
		previous_utility(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
	else
		standard_ProcessUtility(statement, text, read_only_tree, context, parameters, environment, receiver, completion);
	if (n_later > 0)
		write_now();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (n_later > 0)
				write_now();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget_all();
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subxact, SubTransactionId parent, void *arg)
{
	int			kept = 0;

	if (n_later == 0)
		return;
	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		write_now();
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	for (int i = 0; i < n_later; i++)
		if (later[i].subxact != subxact)
			later[kept++] = later[i];
	n_later = kept;
}

void
wf_store_later_init(void)
{
	previous_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = on_finish;
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

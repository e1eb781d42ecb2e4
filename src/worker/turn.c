/*
 * turn.c: which messages a worker deals with in one transaction, and what becomes of those that make trouble.
 *
 * 1. A batch: messages are claimed, each is dealt with by the engine, all is committed. The number that is claimed
 *    follows the time that runs take, so that a batch takes about workflow.batch_time. No run is begun after that
 *    time; one that isn't done within as much again, while others wait for its commit, is undone by the engine and is
 *    dealt with alone.
 * 2. Alone, in a transaction of their own and for as long as it takes: messages that were too slow, and those of versions that
 *    were before; those that had a crash, one at a time on the whole server; those that an error came from, and all of a batch
 *    that could not be committed, since nobody knows which one it was. They stay in the queue, are kept here by their ids,
 *    and take turns with batches.
 * 3. There is no subtransaction around a message: an error that the engine throws (its own statements, lack of memory) is
 *    rare, and the batch is simply done again without the one that it came from. It is tried a few more times, alone and ever
 *    later; then its run fails with that error, so that one bad row never blocks the others. Deadlocks, serialization
 *    failures and lock time-outs have more tries. What cannot be committed alone fails with the error of the commit.
 * 4. A cancel of the statement (57014) is either wf_cancel's: then its message is in the queue, and dealt with before
 *    anything else; or an administrator's: then the run fails with it. When the run is undone and the cancel is in other
 *    hands, any worker may get the run: it does not begin it. One that did before the cancel is found out by whoever
 *    deals with that, who asks for its interruption once more.
 * 5. The engine may take further messages to a run with the one that it is given. So a claimed message to a run that
 *    the same batch has dealt with already is looked for again, and is dropped when it is gone.
 *
 * 6. A run that another process is at is left out of claims for a few milliseconds: however many messages there are to it,
 *    the other runs of the role go on.
 *
 * What is kept here is small and forgotten with the process: another worker finds out for itself.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "base/wake.h"
#include "common/pg_prng.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "worker/worker.h"

#define MOST_MESSAGES 64		/* of a batch: as many subtransactions as a snapshot holds without looking them up */
#define MOST_ALONE 128
#define MOST_SLOW 64
#define SLOW_FOR_MS 60000
#define MOST_TRIES 3
#define MOST_TRIES_TRANSIENT 20
#define BUSY_MS 10
#define MOST_BUSY 32
#define SUSPECT_MS 50
#define AFTER_FAILING_MS 60000

/* A message that is dealt with alone. */
typedef struct Alone
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	message_id;
	int			tries;			/* that ended with an error */
	int			waits;			/* times that another process had the run */
	TimestampTz not_before;
} Alone;

/* A version (or, of messages that do not tell it, a run) that was too slow for a batch. */
typedef struct Slow
{
	pg_uuid_t	id;
	int			version;		/* -1: of a run */
	TimestampTz until;
} Slow;

/* A run that another process is at. */
typedef struct Busy
{
	pg_uuid_t	run_id;
	int			times;			/* in a row that it was found so */
	TimestampTz until;
} Busy;

/* One transaction. */
typedef struct Batch
{
	int			most;
	WfMessage  *only;			/* what is to be dealt with alone: the message, as it was claimed; or NULL */
	const Alone *alone;			/* or NULL: a batch */
	const WfError *fail_with;	/* alone: not executed but failed with this, or NULL */
	bool		fail_plainly;
	List	   *messages;		/* claimed */
	List	   *more;			/* claimed for the run of the only message */
	WfMessage  *current;		/* what the engine is at; NULL: nothing */
	List	   *done;
	int			n_busy;
	int			n_left_out;		/* runs whose messages were not asked for */
	bool		stopped;		/* messages were left */
	bool		was_slow;		/* alone */
	int64		execute_us;
	WfTurn		result;			/* alone */
} Batch;

static Oid	my_role;
static pg_uuid_t last_tenant;
static int	batch_size = 8;
static Alone alone[MOST_ALONE];
static int	n_alone = 0;
static Slow slow[MOST_SLOW];
static int	next_slow = 0;
static Busy busy[MOST_BUSY];
static bool alone_is_next = false;
static MemoryContext turn_memory;
static MemoryContext run_memory;

void
wf_turn_init(Oid role)
{
	my_role = role;
	turn_memory = AllocSetContextCreate(TopMemoryContext, "workflow turn", ALLOCSET_DEFAULT_SIZES);
	run_memory = AllocSetContextCreate(TopMemoryContext, "workflow run", ALLOCSET_DEFAULT_SIZES);
}

/* -- slow versions -- */

static void
slow_key(const WfMessage *message, Slow *key)
{
	bool		is_start = message->kind == WF_MESSAGE_START;

	key->id = is_start ? message->workflow_id : message->run_id;
	key->version = is_start ? message->version : -1;
}

static Slow *
find_slow(const WfMessage *message)
{
	Slow		key;

	slow_key(message, &key);
	for (int i = 0; i < MOST_SLOW; i++)
		if (slow[i].until != 0 && slow[i].version == key.version &&
			memcmp(&slow[i].id, &key.id, sizeof(pg_uuid_t)) == 0)
			return &slow[i];
	return NULL;
}

static bool
is_slow(const WfMessage *message, TimestampTz now)
{
	Slow	   *found = find_slow(message);

	return found != NULL && found->until > now;
}

static void
remember_slow(const WfMessage *message)
{
	Slow	   *to = find_slow(message);

	if (to == NULL)
	{
		to = &slow[next_slow];
		next_slow = (next_slow + 1) % MOST_SLOW;
		slow_key(message, to);
	}
	to->until = TimestampTzPlusMilliseconds(wf_clock_now(), SLOW_FOR_MS);
}

static void
forget_slow(const WfMessage *message)
{
	Slow	   *found = find_slow(message);

	if (found != NULL)
		found->until = 0;
}

/* -- runs that others are at -- */

static void
note_busy(const WfMessage *message, TimestampTz now)
{
	Busy	   *to = &busy[0];

	for (int i = 0; i < MOST_BUSY; i++)
	{
		if (memcmp(&busy[i].run_id, &message->run_id, sizeof(pg_uuid_t)) == 0)
		{
			to = &busy[i];
			break;
		}
		if (busy[i].until < to->until)
			to = &busy[i];
	}
	if (memcmp(&to->run_id, &message->run_id, sizeof(pg_uuid_t)) != 0)
		to->times = 0;
	to->run_id = message->run_id;
	to->times = Min(to->times + 1, 5);
	to->until = TimestampTzPlusMilliseconds(now, BUSY_MS << to->times);
}

static void
forget_busy(const WfMessage *message)
{
	for (int i = 0; i < MOST_BUSY; i++)
		if (busy[i].until != 0 && memcmp(&busy[i].run_id, &message->run_id, sizeof(pg_uuid_t)) == 0)
			busy[i].until = busy[i].times = 0;
}

/* Those that are not to be asked for now, in runs; how many. */
static int
list_busy(pg_uuid_t *runs)
{
	TimestampTz now = wf_clock_now();
	int			n = 0;

	for (int i = 0; i < MOST_BUSY; i++)
		if (busy[i].until > now)
			runs[n++] = busy[i].run_id;
	return n;
}

/* When the first of them is asked for again, in ms from now; -1: there are none. */
static long
busy_wait(void)
{
	TimestampTz now = wf_clock_now();
	TimestampTz next = 0;

	for (int i = 0; i < MOST_BUSY; i++)
		if (busy[i].until > now && (next == 0 || busy[i].until < next))
			next = busy[i].until;
	return next == 0 ? -1 : (next - now) / 1000 + 1;
}

/* -- messages that are dealt with alone -- */

static Alone *
find_alone(const WfMessage *message)
{
	for (int i = 0; i < n_alone; i++)
		if (memcmp(&alone[i].message_id, &message->message_id, sizeof(pg_uuid_t)) == 0 &&
			memcmp(&alone[i].tenant_id, &message->tenant_id, sizeof(pg_uuid_t)) == 0)
			return &alone[i];
	return NULL;
}

/* Notes it, if it isn't. NULL when there are too many: it will be claimed again. */
static Alone *
add_alone(const WfMessage *message)
{
	Alone	   *found = find_alone(message);

	if (found != NULL || n_alone == MOST_ALONE)
		return found;
	found = &alone[n_alone++];
	memset(found, 0, sizeof(*found));
	found->tenant_id = message->tenant_id;
	found->message_id = message->message_id;
	return found;
}

static void
drop_alone(Alone *entry)
{
	int			at = entry - alone;

	memmove(entry, entry + 1, sizeof(Alone) * (n_alone - at - 1));
	n_alone--;
}

/* The one that has waited longest of those that may be tried now, or NULL. */
static Alone *
next_alone(TimestampTz now)
{
	for (int i = 0; i < n_alone; i++)
		if (alone[i].not_before <= now)
			return &alone[i];
	return NULL;
}

/* When the next one may be tried, in ms from now; -1: there is none. */
static long
alone_wait(TimestampTz now)
{
	TimestampTz next = 0;

	for (int i = 0; i < n_alone; i++)
		if (next == 0 || alone[i].not_before < next)
			next = alone[i].not_before;
	if (n_alone == 0)
		return -1;
	return next <= now ? 0 : (next - now) / 1000 + 1;
}

/* -- work within the transaction -- */

/* What else there is for the run of the only message: it need not wait, each for a segment of its own. */
static void
claim_more(Batch *batch, const WfMessage *message)
{
	if (message->kind == WF_MESSAGE_START || message->crashes > 0)
		return;
	wf_transaction_open(turn_memory);
	batch->more = wf_store_claim_run(&message->tenant_id, &message->run_id);
	wf_transaction_close(turn_memory);
}

/*
 * The cancel among messages that were claimed for the run of one that is about to be executed, or NULL. It came while nobody was at the
 * run, so it interrupted nobody; nor can anybody else deal with it now. It is dealt with in place of the other, which it ends.
 */
static WfMessage *
find_cancel(const List *claimed)
{
	ListCell   *lc;

	foreach(lc, claimed)
		if (((WfMessage *) lfirst(lc))->kind == WF_MESSAGE_CANCEL)
			return lfirst(lc);
	return NULL;
}

/* Is the run to be cancelled, by whoever has that message in his hands? Looked for only when a cancel of it was made lately. */
static bool
is_being_cancelled(const WfMessage *message)
{
	pg_uuid_t	last;
	bool		found;

	if (message->kind == WF_MESSAGE_CANCEL || !wf_wake_may_be_cancelled(&message->run_id))
		return false;
	memset(&last, 0xff, sizeof(last));
	wf_transaction_open(turn_memory);
	found = wf_store_has_earlier(&message->tenant_id, &message->run_id, &last, WF_MESSAGE_CANCEL);
	wf_transaction_close(turn_memory);
	return found;
}

/* The cancel of the message's run, unless it is in other hands; locked. */
static WfMessage *
claim_cancel(const WfMessage *message)
{
	List	   *claimed;

	wf_transaction_open(turn_memory);
	claimed = wf_store_claim_run(&message->tenant_id, &message->run_id);
	wf_transaction_close(turn_memory);
	return find_cancel(claimed);
}

/* Deals with one message, or with a cancel in its place; between runs of the batch the session is made as it was. */
static WfTurn
execute(Batch *batch, WfMessage *message, TimestampTz slice_end, const WfError *fail_with)
{
	ResourceOwner owner = CurrentResourceOwner;
	WfTurn		result = WF_TURN_DONE;
	WfMessage  *cancel;
	int			level;

	batch->current = message;
	wf_wake_executing(&message->run_id, NULL);
	/* A cancel that commits from here on interrupts; one that did before is found. Between the two there must be no gap. */
	pg_memory_barrier();
	if (fail_with == NULL && is_being_cancelled(message))
	{
		cancel = claim_cancel(message);
		if (cancel == NULL)
		{
			wf_wake_executing(NULL, NULL);
			batch->current = NULL;
			return WF_TURN_BUSY;
		}
		message = cancel;
		batch->more = NIL;
	}
	level = wf_session_begin_run();
	MemoryContextSwitchTo(run_memory);
	if (fail_with != NULL)
		result = wf_engine_fail(message, fail_with, batch->fail_plainly);
	else
		result = wf_engine_turn(message, batch->more != NIL ? batch->more : batch->messages, slice_end);
	if (result == WF_TURN_BUSY && message->kind == WF_MESSAGE_CANCEL)
		wf_wake_interrupt_at_commit(&message->run_id);
	wf_session_end_run(level);
	MemoryContextSwitchTo(turn_memory);
	MemoryContextReset(run_memory);
	CurrentResourceOwner = owner;
	batch->current = NULL;
	return result;
}

/* Claims messages; cancels come first: what they end need not be executed. */
static void
claim(Batch *batch)
{
	List	   *cancels = NIL;
	List	   *others = NIL;
	pg_uuid_t	left_out[MOST_BUSY];
	int			n_left_out = list_busy(left_out);
	ListCell   *lc;

	batch->n_left_out = n_left_out;
	wf_transaction_open(turn_memory);
	batch->messages = wf_store_claim_others(my_role, wf_my_worker->is_reserved ? &wf_my_worker->tenant_id : NULL, batch->most, &last_tenant, left_out, n_left_out);
	wf_transaction_close(turn_memory);
	foreach(lc, batch->messages)
	{
		WfMessage  *message = lfirst(lc);

		if (message->kind == WF_MESSAGE_CANCEL)
			cancels = lappend(cancels, message);
		else
			others = lappend(others, message);
	}
	if (cancels != NIL)
		batch->messages = list_concat(cancels, others);
}

/* Whether an earlier message of the batch, to the same run, has taken this one with it. */
static bool
is_gone(const Batch *batch, const WfMessage *message)
{
	bool		again = false;
	WfMessage  *found;
	ListCell   *lc;

	foreach(lc, batch->done)
		again |= memcmp(&((WfMessage *) lfirst(lc))->run_id, &message->run_id, sizeof(pg_uuid_t)) == 0;
	if (!again)
		return false;
	wf_transaction_open(turn_memory);
	found = wf_store_claim_one(&message->tenant_id, &message->message_id);
	wf_transaction_close(turn_memory);
	return found == NULL;
}

static void
batch_work(void *arg)
{
	Batch	   *batch = arg;
	TimestampTz begun;
	TimestampTz now;
	ListCell   *lc;

	claim(batch);
	begun = now = wf_clock_now();
	if (batch->messages != NIL)
		WF_FAULT("turn.claimed");
	foreach(lc, batch->messages)
	{
		WfMessage  *message = lfirst(lc);
		int64		slice_us = wf_setting_batch_time * (int64) 1000;
		bool		is_single = list_length(batch->messages) == 1;
		WfMessage  *cancel;
		WfTurn		result;

		if (message->is_taken)
		{
			batch->done = lappend(batch->done, message);
			continue;
		}
		if (find_alone(message) != NULL || message->crashes > 0 || (!is_single && is_slow(message, now)))
		{
			if (add_alone(message) == NULL)
				batch->stopped = true;
			continue;
		}
		if (now - begun >= slice_us)
		{
			batch->stopped = true;
			break;
		}
		if (is_gone(batch, message))
			continue;
		if (is_single)
			claim_more(batch, message);
		if (message->kind != WF_MESSAGE_CANCEL && (cancel = find_cancel(batch->more)) != NULL)
		{
			message = cancel;
			batch->more = NIL;
		}
		result = execute(batch, message, is_single ? 0 : now + slice_us, NULL);
		WF_FAULT("turn.executed");
		now = wf_clock_now();
		if (result == WF_TURN_DONE)
		{
			batch->done = lappend(batch->done, message);
			forget_busy(message);
		}
		else if (result == WF_TURN_BUSY)
		{
			batch->n_busy++;
			note_busy(message, now);
		}
		else
		{
			remember_slow(message);
			add_alone(message);
		}
		if (wf_session_has_temporary() && lnext(batch->messages, lc) != NULL)
		{
			batch->stopped = true;
			break;
		}
	}
	batch->execute_us = now - begun;
	if (batch->done != NIL)
		WF_FAULT("turn.commit");
}

/*
 * What else there is for the run of a message that is alone because it was slow goes with it: else a run with much state
 * and many messages would be loaded and saved for each. After an error a message is strictly alone.
 */
static List *
claim_companions(const Batch *batch)
{
	List	   *found = NIL;
	ListCell   *lc;

	if (batch->fail_with != NULL || batch->alone->tries > 0 || batch->only->crashes > 0)
		return NIL;
	foreach(lc, wf_store_claim_run(&batch->only->tenant_id, &batch->only->run_id))
	{
		WfMessage  *message = lfirst(lc);
		Alone	   *entry = find_alone(message);

		if (memcmp(&message->message_id, &batch->only->message_id, sizeof(pg_uuid_t)) != 0 &&
			message->crashes == 0 && (entry == NULL || entry->tries == 0))
			found = lappend(found, message);
	}
	return found;
}

static void
alone_work(void *arg)
{
	Batch	   *batch = arg;
	WfMessage  *cancel;
	TimestampTz begun;

	wf_transaction_open(turn_memory);
	batch->only = wf_store_claim_one(&batch->alone->tenant_id, &batch->alone->message_id);
	if (batch->only != NULL)
		batch->messages = claim_companions(batch);
	wf_transaction_close(turn_memory);
	if (batch->only == NULL)
		return;
	if (batch->only->crashes > 0 && !wf_process_suspect_begin())
	{
		batch->result = WF_TURN_BUSY;
		return;
	}
	claim_more(batch, batch->only);
	cancel = find_cancel(batch->more != NIL ? batch->more : batch->messages);
	if (cancel != NULL && batch->only->kind != WF_MESSAGE_CANCEL && batch->fail_with == NULL)
		batch->more = batch->messages = NIL;
	else
		cancel = batch->only;
	begun = wf_clock_now();
	batch->result = execute(batch, cancel, 0, batch->fail_with);
	batch->execute_us = wf_clock_now() - begun;
}

/* Deals with the cancel of a run, which has interrupted it. */
static void
cancel_work(void *arg)
{
	Batch	   *batch = arg;
	WfMessage  *cancel = claim_cancel(batch->only);

	if (cancel == NULL)
		return;
	WF_FAULT("turn.cancel");
	(void) execute(batch, cancel, 0, NULL);
	batch->n_busy = 0;
}

/* -- after it -- */

static bool
is_transient(int sqlstate)
{
	return sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
		sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

static void
log_error(const WfMessage *message, const ErrorData *error, const char *what)
{
	const char *of = message == NULL ? "" :
		psprintf(" of run %s", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&message->run_id))));

	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("workflow worker: %s%s: %s", what, of, error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 error->context != NULL ? errcontext("%s", error->context) : 0));
}

/*
 * The run fails with the error, in a transaction of its own; if need be without what that entails. When even that cannot be
 * done it is left for a while.
 */
static void
fail_run(Alone *entry, const WfMessage *message, const ErrorData *error)
{
	Batch		batch = {.alone = entry, .fail_with = wf_error_from_data(error)};
	ErrorData  *problem = wf_transaction(alone_work, &batch, NULL);

	if (problem != NULL && !is_transient(problem->sqlerrcode) && problem->sqlerrcode != ERRCODE_QUERY_CANCELED)
	{
		log_error(message, problem, "could not do what the failure entails");
		batch.fail_plainly = true;
		problem = wf_transaction(alone_work, &batch, NULL);
	}
	wf_executing_over();
	wf_process_suspect_end();
	wf_session_after_transaction();
	if (problem == NULL && batch.result == WF_TURN_DONE)
	{
		drop_alone(entry);
		return;
	}
	if (problem != NULL)
		log_error(message, problem, "could not record the failure");
	entry->not_before = TimestampTzPlusMilliseconds(wf_clock_now(), problem != NULL ? AFTER_FAILING_MS : BUSY_MS);
}

/* The transaction that dealt with the message, alone or among others, ended with this error. */
static void
settle_error(const WfMessage *message, const ErrorData *error, bool alone_at_commit)
{
	Alone	   *entry;
	bool		transient = is_transient(error->sqlerrcode);

	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && wf_wake_was_interrupted())
	{
		Batch		batch = {.only = unconstify(WfMessage *, message), .n_busy = 1};

		/* an error here is found again with the message itself */
		(void) wf_transaction(cancel_work, &batch, NULL);
		/* another worker has the cancel in its hands, and gets the run: it is not begun again while that is so */
		if (batch.n_busy > 0 && (entry = add_alone(message)) != NULL)
			entry->not_before = TimestampTzPlusMilliseconds(wf_clock_now(), 10 * BUSY_MS);
		return;
	}
	entry = add_alone(message);
	if (entry == NULL)
		return;
	entry->tries++;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		(transient ? entry->tries >= MOST_TRIES_TRANSIENT : alone_at_commit || entry->tries > MOST_TRIES))
	{
		fail_run(entry, message, error);
		return;
	}
	if (!transient)
		log_error(message, error, "error in the execution");
	if (entry->tries > 1)
		entry->not_before = TimestampTzPlusMilliseconds(wf_clock_now(),
														transient ? pg_prng_uint64_range(&pg_global_prng_state, 1, 5 * entry->tries) :
														50 << entry->tries);
}

/* Claims failed: is the extension there at all? */
static void
look_for_extension(void *arg)
{
	*(bool *) arg = wf_session_has_extension();
}

static void
adapt(const Batch *batch, int n_claimed)
{
	int			n = list_length(batch->done);
	int64		wanted_us = wf_setting_batch_time * (int64) 1000;

	if (n == 0)
		return;
	if (batch->stopped || batch->execute_us > wanted_us)
		batch_size = Max(1, Min(batch_size, n * wanted_us / Max(batch->execute_us, 1)));
	else if (n_claimed >= batch->most && batch->execute_us * 2 < wanted_us)
		batch_size = Min(batch_size * 2, MOST_MESSAGES);
}

/* The earlier of two waits; -1 is none. */
static long
sooner(long a, long b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static long
turn_batch(bool *alive)
{
	Batch		batch = {.most = batch_size + n_alone};
	bool		committing;
	ErrorData  *error = wf_transaction(batch_work, &batch, &committing);
	ListCell   *lc;
	int			n = list_length(batch.messages);

	if (error != NULL && batch.current != NULL)
	{
		settle_error(batch.current, error, false);
		return 0;
	}
	if (error != NULL && committing && list_length(batch.done) == 1 && n == 1)
	{
		settle_error(linitial(batch.done), error, true);
		return 0;
	}
	if (error != NULL && committing)
	{
		foreach(lc, batch.done)
			(void) add_alone(lfirst(lc));
		return 0;
	}
	if (error != NULL)
	{
		if (wf_transaction(look_for_extension, alive, NULL) == NULL && !*alive)
			return -1;
		if (!is_transient(error->sqlerrcode))
			log_error(NULL, error, "could not take messages");
		return is_transient(error->sqlerrcode) ? BUSY_MS : 1000;
	}
	if (batch.done != NIL)
		WF_FAULT("turn.committed");
	adapt(&batch, n);
	if (batch.stopped || n >= batch.most)
		wf_process_ask_for_help();
	/* when all of it was busy there may be messages to others behind */
	if (batch.done != NIL || batch.stopped || batch.n_busy > 0)
		return 0;
	/* or to one that was left out until just now */
	if (batch.n_left_out > 0 && busy_wait() < 0)
		return 0;
	return sooner(busy_wait(), alone_wait(wf_clock_now()));
}

static void
turn_alone(Alone *entry)
{
	Batch		batch = {.alone = entry};
	bool		committing;
	ErrorData  *error;

	if (n_alone > 1)
		wf_process_ask_for_help();
	error = wf_transaction(alone_work, &batch, &committing);
	if (error != NULL && batch.only != NULL)
		settle_error(batch.only, error, committing);
	else if (error != NULL)
		entry->not_before = TimestampTzPlusMilliseconds(wf_clock_now(), 1000);
	else if (batch.only == NULL)
		drop_alone(entry);		/* somebody else has dealt with it, or does; else it is claimed again */
	else if (batch.result == WF_TURN_DONE)
	{
		if (batch.execute_us * 2 < wf_setting_batch_time * (int64) 1000)
			forget_slow(batch.only);
		else if (batch.execute_us > wf_setting_batch_time * (int64) 1000)
			remember_slow(batch.only);
		drop_alone(entry);
	}
	else
	{
		entry->waits = Min(entry->waits + 1, 4);
		entry->not_before = TimestampTzPlusMilliseconds(wf_clock_now(), batch.only->crashes > 0 ? SUSPECT_MS :
														 BUSY_MS << entry->waits);
	}
	wf_process_suspect_end();
}

long
wf_turn(bool *alive)
{
	Alone	   *entry = alone_is_next ? next_alone(wf_clock_now()) : NULL;
	MemoryContext old;
	long		wait = 0;

	MemoryContextReset(turn_memory);
	MemoryContextReset(run_memory);
	old = MemoryContextSwitchTo(turn_memory);
	*alive = true;
	alone_is_next = !alone_is_next;
	if (entry != NULL)
		turn_alone(entry);
	else
	{
		wait = turn_batch(alive);
		/* nothing in the queue but what is to be dealt with alone */
		if (wait != 0 && *alive && next_alone(wf_clock_now()) != NULL)
		{
			alone_is_next = true;
			wait = 0;
		}
	}
	wf_wake_executing(NULL, NULL);
	wf_executing_over();
	wf_session_after_transaction();
	MemoryContextSwitchTo(old);
	return wait;
}

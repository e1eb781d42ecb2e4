/*
 * dispatch.c: the state of a dispatcher, and its transactions.
 *
 * One transaction records what has ended since the last one and claims what is to be sent next, so that a busy dispatcher pays
 * one commit for many requests. What it claims is sent only when that commit has come back from the disk
 * (synchronous_commit is on in this process): the run that has asked may have committed without waiting for the disk,
 * and what a crash takes back must not have been sent.
 *
 * When that fails, the half that did (either, at the commit) rests for a while, longer each time, and is done in a transaction of its own
 * until it has succeeded: what keeps requests from being claimed does not keep answers from being recorded, nor the other way round.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "dispatch/dispatch.h"
#include "dispatch/flight.h"
#include "dispatch/named.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MOST_EVENTS 256			/* of a turn of the network */
#define MOST_RECORDED 1000		/* by one transaction */
#define LOCKED_MS 10			/* until what somebody has locked is looked at again; twice that for the next time ... */
#define MOST_LOCKED_MS 1000		/* ... as the transaction that has it may last for days */
#define MOST_LOCKED_BYTES (256 * 1024 * 1024)	/* of answers whose rows are locked: beyond it the largest are given up */
#define LEAST_SHED_BYTES 4096	/* of one */
#define SWEEP_MS 60000
#define LEAST_BACKOFF_MS 100
#define MOST_BACKOFF_MS 10000

/* What a transaction does. */
typedef struct Half
{
	bool		is_begun;		/* by the transaction at hand */
	long		backoff_ms;		/* 0: the last time it went well */
	TimestampTz not_before;
} Half;

WfNet	   *wf_dispatch_net;
WfLanes    *wf_dispatch_lanes;
WfCircuits *wf_dispatch_circuits;

static MemoryContext dispatch_memory;
static List *changed_circuits = NIL;	/* WfCircuitRow *, with their names in `host`; in dispatch_memory */
static WfNames open_circuits;	/* those that are written down as open (WfNamed) */
static int	most_recorded = MOST_RECORDED;	/* by the next transaction: one, when it is not known whose fault it is that none commits */
static bool some_locked = false;	/* of circuits and secrets that the transaction at hand was to write */
static TimestampTz locked_until = 0;	/* what is locked is not tried before */
static int	locked_ms = LOCKED_MS / 2;
static TimestampTz swept_at = 0;
static bool more_to_move = false;
static Half record_half;
static Half claim_half;
static Half *current = NULL;	/* what the transaction at hand was doing when it failed; NULL: both are at fault */
static bool was_recording = false;	/* the last transaction, of those that do one half */
static Flight *recording = NULL;	/* the only one that the transaction at hand was recording when it failed */

int64
wf_dispatch_unix_ms(TimestampTz time)
{
	return time / 1000 + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
}

static TimestampTz
time_of(int64 unix_ms)
{
	return unix_ms == 0 ? 0 : (unix_ms - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000) * 1000;
}

void
wf_dispatch_begin(void)
{
	WfNetLimits limits = {.max_idle_connections = Max(100, wf_setting_http_max_in_flight)};
	MemoryContext old;

	dispatch_memory = AllocSetContextCreate(TopMemoryContext, "workflow dispatcher", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(dispatch_memory);
	wf_flights_init(dispatch_memory);
	wf_claim_init(dispatch_memory);
	wf_limits_init(dispatch_memory);
	wf_dispatch_net = wf_net_create(&limits);
	wf_dispatch_lanes = wf_lanes_create();
	wf_dispatch_circuits = wf_circuits_create();
	wf_named_create(&open_circuits, "workflow circuits that are open", sizeof(WfNamed),
					AllocSetContextCreate(dispatch_memory, "workflow circuits that are open", ALLOCSET_SMALL_SIZES));
	MemoryContextSwitchTo(old);
}

/* -- circuits -- */

/* The state that is kept of a circuit, by its name in the row's `host`. */
static char *
circuit_name(const WfCircuitRow *row)
{
	return psprintf("%s %s", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&row->tenant_id))), row->host);
}

void
wf_dispatch_note_circuit(const Flight *flight)
{
	MemoryContext old = MemoryContextSwitchTo(dispatch_memory);
	WfCircuitRow *row = palloc0(sizeof(WfCircuitRow));

	row->tenant_id = flight->row.tenant_id;
	row->host = pstrdup(flight->row.host);
	changed_circuits = lappend(changed_circuits, row);
	MemoryContextSwitchTo(old);
}

static void
write_circuits(void)
{
	int64		now_ms = wf_dispatch_unix_ms(wf_clock_now());
	ListCell   *cell;

	foreach(cell, changed_circuits)
	{
		WfCircuitRow *changed = lfirst(cell);
		WfCircuitRow row = *changed;
		WfCircuitLook look;

		wf_circuit_look(wf_dispatch_circuits, circuit_name(&row), now_ms, &look);
		row.state = wf_circuit_state_name(look.state);
		row.attempts = look.attempts;
		row.failures = look.failures;
		row.changed_at = time_of(now_ms);
		row.retry_at = look.state == WF_CIRCUIT_CLOSED ? 0 : time_of(look.retry_at_ms);
		row.times_opened = look.times_opened;
		changed->state = wf_store_put_circuit(&row) ? row.state : NULL;
		some_locked |= changed->state == NULL;
	}
}

/* Those that were written down as open, or read so. */
static void
remember_open(const char *name, bool is_open)
{
	WfNamed    *found = wf_named_find(&open_circuits, name);

	if (is_open)
		(void) wf_named_enter(&open_circuits, name);
	else if (found != NULL)
		wf_named_drop(&open_circuits, found);
}

/* Those that could be written are. */
static void
settle_circuits(void)
{
	ListCell   *cell;

	foreach(cell, changed_circuits)
	{
		WfCircuitRow *row = lfirst(cell);

		if (row->state == NULL)
			continue;
		remember_open(circuit_name(row), strcmp(row->state, wf_circuit_state_name(WF_CIRCUIT_CLOSED)) != 0);
		pfree(unconstify(char *, row->host));
		pfree(row);
		changed_circuits = foreach_delete_current(changed_circuits, cell);
	}
}

/* Names of what the store has, found by a hash: tenants may have very many. */
static void
name_rows(const List *rows, WfNames *names)
{
	ListCell   *cell;

	wf_named_create(names, "workflow circuits of the store", sizeof(WfNamed), CurrentMemoryContext);
	foreach(cell, rows)
		(void) wf_named_enter(names, circuit_name(lfirst(cell)));
}

void
wf_dispatch_read_circuits(void)
{
	List	   *rows = wf_store_open_circuits(TimestampTzPlusMilliseconds(wf_clock_now(), -WF_CIRCUIT_FORGET_MS));
	WfNames		listed;
	HASH_SEQ_STATUS seq;
	WfNamed    *open;
	ListCell   *cell;

	name_rows(rows, &listed);
	hash_seq_init(&seq, open_circuits.table);
	while ((open = hash_seq_search(&seq)) != NULL)
	{
		if (wf_named_find(&listed, open->name) != NULL)
			continue;
		wf_circuit_set(wf_dispatch_circuits, open->name, NULL);
		wf_named_drop(&open_circuits, open);
	}
	foreach(cell, rows)
	{
		const WfCircuitRow *row = lfirst(cell);
		char	   *name = circuit_name(row);
		WfCircuitLook look = {.state = WF_CIRCUIT_OPEN};

		if (wf_named_find(&open_circuits, name) != NULL)
			continue;
		look.attempts = row->attempts;
		look.failures = row->failures;
		look.changed_ms = wf_dispatch_unix_ms(row->changed_at);
		look.retry_at_ms = row->retry_at == 0 ? 0 : wf_dispatch_unix_ms(row->retry_at);
		look.times_opened = row->times_opened;
		wf_circuit_set(wf_dispatch_circuits, name, &look);
		remember_open(name, true);
	}
}

/* -- the transaction -- */

/* May what was locked be tried again? */
static bool
lock_is_old(TimestampTz now)
{
	return !wf_clock_is_ahead(locked_until, now, MOST_LOCKED_MS);
}

/* When the half may be tried that is to be tried then. */
static TimestampTz
rested(const Half *half, TimestampTz at, TimestampTz now)
{
	return wf_clock_is_ahead(half->not_before, now, MOST_BACKOFF_MS) ? Max(at, half->not_before) : at;
}

/* When there is something to record; DT_NOEND: there is nothing. */
static TimestampTz
next_end(TimestampTz now)
{
	if (wf_flights_count(FLIGHT_ENDED) > 0)
		return 0;
	if (wf_flights_count(FLIGHT_LOCKED) == 0 && changed_circuits == NIL && !wf_refresh_is_wanted())
		return DT_NOEND;
	return lock_is_old(now) ? 0 : locked_until;
}

static TimestampTz
next_record(TimestampTz now)
{
	return rested(&record_half, next_end(now), now);
}

static TimestampTz
next_claim(TimestampTz now)
{
	return rested(&claim_half, wf_claim_next(), now);
}

/* Those whose rows were locked are tried again. */
static void
retry_locked(void)
{
	dlist_mutable_iter it;

	dlist_foreach_modify(it, wf_flights_of(FLIGHT_LOCKED))
	{
		wf_flight_set_phase(dlist_container(Flight, node, it.cur), FLIGHT_ENDED);
	}
}

/* Answers that nobody can take yet leave room for those of others. */
static void
shed_locked(void)
{
	while (wf_flights_locked_bytes() > MOST_LOCKED_BYTES)
	{
		Flight	   *largest = NULL;
		dlist_iter	it;

		dlist_foreach(it, wf_flights_of(FLIGHT_LOCKED))
		{
			Flight	   *flight = dlist_container(Flight, node, it.cur);

			if (largest == NULL || flight->answer_bytes > largest->answer_bytes)
				largest = flight;
		}
		if (largest == NULL || largest->answer_bytes < LEAST_SHED_BYTES)
			break;
		wf_end_give_up(largest);
	}
}

static void
settle_locked(void)
{
	TimestampTz now = wf_clock_now();

	if (!some_locked && wf_flights_count(FLIGHT_LOCKED) == 0)
	{
		locked_ms = LOCKED_MS / 2;
		locked_until = 0;
	}
	else if (lock_is_old(now))
	{
		locked_ms = Min(locked_ms * 2, MOST_LOCKED_MS);
		locked_until = TimestampTzPlusMilliseconds(now, locked_ms);
	}
}

bool
wf_dispatch_wants(int calls)
{
	TimestampTz now = wf_clock_now();

	wf_claim_told(calls);
	return (wf_claim_is_wanted() && next_claim(now) <= now) || next_record(now) <= now;
}

/* Flights that have ended, at most most_recorded; how many. */
static int
list_ended(Flight **flights)
{
	dlist_iter	it;
	int			n = 0;

	dlist_foreach(it, wf_flights_of(FLIGHT_ENDED))
	{
		if (n == most_recorded)
			break;
		flights[n++] = dlist_container(Flight, node, it.cur);
	}
	return n;
}

static void
begin_half(Half *half)
{
	half->is_begun = true;
	current = half;
}

static void
record(void)
{
	int			n_ended = Min(wf_flights_count(FLIGHT_ENDED), most_recorded);
	Flight	  **flights = palloc(sizeof(Flight *) * Max(n_ended, 1));
	WfRequestEnd *ends = palloc(sizeof(WfRequestEnd) * Max(n_ended, 1));
	int			n = list_ended(flights);

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		ends[i] = flights[i]->end;
	recording = n == 1 ? flights[0] : NULL;
	WF_FAULT("dispatch.record");
	wf_store_end_attempts(ends, n);
	recording = NULL;
	WF_FAULT("dispatch.recorded");
	for (int i = 0; i < n; i++)
	{
		flights[i]->end.is_settled = ends[i].is_settled;
		if (ends[i].is_settled)
			wf_batch_note_recorded(flights[i]);
		/* the others must not wait for it */
		if (ends[i].is_settled)
			continue;
		wf_flight_set_phase(flights[i], FLIGHT_LOCKED);
		wf_flight_note_locked(flights[i]);
	}
}

static void
work_record(void)
{
	begin_half(&record_half);
	some_locked = false;
	write_circuits();
	some_locked |= !wf_refresh_write();
	if (lock_is_old(wf_clock_now()))
		retry_locked();
	record();
	wf_batch_write();
}

/* Both halves; while one has failed, one of them: that whose time has come, taking turns. */
static void
choose(bool *records, bool *claims)
{
	TimestampTz now = wf_clock_now();

	*records = *claims = true;
	if (record_half.backoff_ms == 0 && claim_half.backoff_ms == 0)
		return;
	*records = next_record(now) <= now && (!was_recording || next_claim(now) > now);
	*claims = !*records;
	was_recording = *records;
}

void
wf_dispatch_work(MemoryContext memory)
{
	bool		records;
	bool		claims;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(memory);
	recording = NULL;
	choose(&records, &claims);
	if (records)
		work_record();
	if (claims)
	{
		begin_half(&claim_half);
		wf_claim_work(memory);
	}
	current = NULL;
	PopActiveSnapshot();
	SPI_finish();
	MemoryContextSwitchTo(memory);
}

/*
 * The transaction could not be committed. From now on what has ended is recorded one by one; one whose answer cannot be
 * stored at all (its size, its text) ends with that error instead, and any other that failed alone goes behind the others.
 */
static void
settle_error(const ErrorData *error)
{
	int			class = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (recording != NULL && (class == ERRCODE_DATA_EXCEPTION || class == ERRCODE_PROGRAM_LIMIT_EXCEEDED))
		wf_end_unsent(recording, wf_error_make(error->sqlerrcode, NULL, "answer could not be stored: %s", error->message), false, -1);
	else if (recording != NULL)
		wf_flight_set_phase(recording, FLIGHT_ENDED);
	recording = NULL;
	most_recorded = 1;
}

/* The half rests when it is at fault. */
static void
settle_half(Half *half, bool committed)
{
	if (committed ? half->is_begun : current == NULL || current == half)
	{
		half->backoff_ms = committed ? 0 : Min(Max(half->backoff_ms * 2, LEAST_BACKOFF_MS), MOST_BACKOFF_MS);
		half->not_before = committed ? 0 : TimestampTzPlusMilliseconds(wf_clock_now(), half->backoff_ms);
	}
	half->is_begun = false;
}

/* What has ended is recorded, or is as it was. */
static void
settle_ended(const ErrorData *error)
{
	bool		committed = error == NULL;
	dlist_mutable_iter it;

	if (!committed && current != &claim_half)
		settle_error(error);
	wf_refresh_settle(committed);
	if (committed)
	{
		most_recorded = Min(most_recorded * 2, MOST_RECORDED);
		settle_circuits();
		settle_locked();
		shed_locked();
	}
	dlist_foreach_modify(it, wf_flights_of(FLIGHT_ENDED))
	{
		Flight	   *flight = dlist_container(Flight, node, it.cur);

		if (committed && flight->end.is_settled)
		{
			/* while it was in flight its lane may have had nothing else, and been forgotten */
			if (flight->end.state == NULL)
				wf_claim_again(flight->row.lane, flight->end.due_at);
			wf_flight_free(flight);
			continue;
		}
		flight->end.is_settled = false;
	}
}

void
wf_dispatch_settle(const ErrorData *error)
{
	bool		committed = error == NULL;

	if (record_half.is_begun)
		settle_ended(error);
	/* one that is set aside is in nobody's way any more: that is no reason to wait longer */
	if (claim_half.is_begun && wf_claim_settle(error))
		claim_half.backoff_ms = 0;
	wf_batch_settle(committed);
	settle_half(&record_half, committed);
	settle_half(&claim_half, committed);
	current = NULL;
}

/* -- the network -- */

static void
sweep(TimestampTz now)
{
	if (wf_clock_is_ahead(TimestampTzPlusMilliseconds(swept_at, SWEEP_MS), now, SWEEP_MS))
		return;
	swept_at = now;
	wf_lanes_sweep(wf_dispatch_lanes, wf_dispatch_unix_ms(now));
	wf_limits_sweep(wf_dispatch_unix_ms(now));
	wf_circuits_sweep(wf_dispatch_circuits, wf_dispatch_unix_ms(now));
}

void
wf_dispatch_move(void)
{
	wf_send_ready();
	more_to_move = wf_net_turn(wf_dispatch_net, MOST_EVENTS);
	wf_send_receive();
	/* their tokens have come: before it is told that secrets have changed */
	if (wf_send_is_wanted())
	{
		wf_send_ready();
		more_to_move = true;
	}
	sweep(wf_clock_now());
}

int
wf_dispatch_fd(void)
{
	return wf_net_fd(wf_dispatch_net);
}

long
wf_dispatch_timeout_ms(void)
{
	TimestampTz now = wf_clock_now();
	TimestampTz next = next_claim(now);
	/* results that are not taken would have it move again at once */
	long		timeout = wf_send_is_full() ? -1 : wf_net_timeout_ms(wf_dispatch_net);

	if (more_to_move)
		return 0;
	next = Min(next, next_record(now));
	if (next == DT_NOEND)
		return timeout;
	if (next <= now)
		return 0;
	return timeout < 0 ? (next - now) / 1000 + 1 : Min(timeout, (next - now) / 1000 + 1);
}

bool
wf_dispatch_is_idle(void)
{
	return wf_flights_total() == 0 && wf_claim_outbox_is_empty();
}

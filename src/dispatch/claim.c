/*
 * claim.c: what to send next.
 *
 * 1. The outbox is looked at lane by lane (store/request.c). Which lanes there are is found out when the process is told of
 *    new requests; in between it knows of each lane when to look again: when something in it is due, when its rate lets something
 *    through, or when a place is free.
 * 2. A lane is given what limits allow: its own, those of the process (workflow.http_max_in_flight, bytes), and its circuit's.
 *    Lanes take turns, each beginning where the last one that got something was.
 * 3. What is taken is a flight at once; it is sent when the transaction has committed, and forgotten when it has not.
 * 4. After a transaction that has failed one request is taken, then two, four ...; when one fails alone it is set aside (aside.c).
 *    The lane where it failed has had its turn.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "dispatch/flight.h"
#include "dispatch/named.h"
#include "miscadmin.h"
#include "store/secret.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MOST_CLAIMED 500		/* by one transaction */
#define MOST_UNKNOWN 16			/* of a lane whose limits are not known yet: each that is taken is a lock */
#define UNSTEADY_US USECS_PER_SEC	/* a clock that goes back by more was set */
#define MOST_CUT_SHORT 50		/* attempts of a request that crashes ended */
#define MOST_BYTES (INT64CONST(256) * 1024 * 1024)	/* of requests in flight, shared out among lanes */

/* A lane that has something in the outbox. */
typedef struct Due
{
	WfNamed		head;
	TimestampTz at;				/* when to look at it; DT_NOEND: when a place is free */
	TimestampTz floor;			/* what was due earlier is in flight; 0: not known */
} Due;

static WfNames dues;
static MemoryContext dues_memory;
static bool is_first = true;		/* what an earlier dispatcher has left is to be seen to */
static bool look_at_all = true;		/* which lanes there are is to be found out */
static bool cancels = false;
static bool circuits = true;
static bool policies = true;
static bool some_ended = false;
static uint64 secrets_age = 0;	/* how often this process was told that some have other values */
static char *last_lane = NULL;	/* in TopMemoryContext */
static int	most_claimed = MOST_CLAIMED;	/* by the next transaction */
static int	n_claimed;			/* taken by the transaction at hand */
static const char *visiting = NULL; /* the lane that the transaction at hand looks at, in its memory */
static TimestampTz looked_at = 0;	/* what the clock said then */

void
wf_claim_init(MemoryContext parent)
{
	dues_memory = AllocSetContextCreate(parent, "workflow lanes that are due", ALLOCSET_DEFAULT_SIZES);
	wf_named_create(&dues, "workflow lanes that are due", sizeof(Due), dues_memory);
	wf_cut_short_init(parent);
	wf_aside_init(parent);
	look_at_all = circuits = true;
}

void
wf_claim_told(int calls)
{
	/* with other limits lanes may send that waited for a time, or for an end */
	look_at_all |= (calls & (WF_DISPATCH_REQUESTS | WF_DISPATCH_POLICIES)) != 0;
	cancels |= (calls & WF_DISPATCH_CANCELS) != 0;
	circuits |= (calls & WF_DISPATCH_CIRCUITS) != 0;
	policies |= (calls & WF_DISPATCH_POLICIES) != 0;
	if ((calls & WF_DISPATCH_SECRETS) == 0)
		return;
	wf_token_forget_all();
	secrets_age++;
}

void
wf_claim_some_ended(void)
{
	some_ended = true;
}

void
wf_claim_again(const char *lane, TimestampTz at)
{
	Due		   *due = wf_named_find(&dues, lane);

	if (due == NULL)
	{
		((Due *) wf_named_enter(&dues, lane))->at = at;
		return;
	}
	/* what was to be seen next may be due later */
	due->floor = Min(due->floor, at);
	if (due->at != DT_NOEND)
		due->at = Min(due->at, at);
}

/* What is in the outbox is in flight, or in a lane that is due. */
bool
wf_claim_outbox_is_empty(void)
{
	return !look_at_all && wf_named_count(&dues) == 0 && wf_aside_next() == DT_NOEND;
}

static bool
has_room(void)
{
	return wf_flights_total() == 0 || wf_flights_total() < wf_setting_http_max_in_flight;
}

TimestampTz
wf_claim_next(void)
{
	TimestampTz next = DT_NOEND;
	HASH_SEQ_STATUS seq;
	Due		   *due;

	if (cancels || circuits || policies)
		return 0;
	if (!has_room())
		return DT_NOEND;
	if (look_at_all)
		return 0;
	next = Min(wf_aside_next(), wf_cut_short_next());
	hash_seq_init(&seq, dues.table);
	while ((due = hash_seq_search(&seq)) != NULL)
	{
		TimestampTz at = some_ended && due->at == DT_NOEND ? 0 : due->at;

		next = Min(next, at);
	}
	return next;
}

bool
wf_claim_is_wanted(void)
{
	TimestampTz now = wf_clock_now();

	/* set back: when lanes are due, by what it said before, means nothing now */
	if (now < looked_at - UNSTEADY_US)
		look_at_all = true;
	looked_at = now;
	return wf_claim_next() <= now;
}

/* -- one lane -- */

static int
int_of(const JsonbValue *object, const char *key)
{
	JsonbValue	value;
	int64		number;

	if (!wf_json_field(object, key, &value) || !wf_json_int64(&value, &number))
		return 0;
	return (int) Max(0, Min(number, PG_INT32_MAX));
}

/* Limits of the node's own, as its latest request has them. */
static void
read_limits(WfLane *lane, const WfRequestRow *row, int64 now_ms)
{
	WfLaneLimits limits = {0};
	JsonbValue	root;
	JsonbValue	rate;
	JsonbValue	per;

	wf_json_root(row->request, &root);
	limits.most = int_of(&root, "hostConcurrency");
	if (wf_json_field(&root, "rateLimit", &rate))
	{
		limits.requests = int_of(&rate, "requests");
		if (wf_json_field(&rate, "perMs", &per) && !wf_json_int64(&per, &limits.per_ms))
			limits.per_ms = 0;
		limits.burst = int_of(&rate, "burst");
	}
	wf_lane_limit(lane, &limits, now_ms);
}

static WfError *
circuit_error(const Flight *flight, int64 retry_at_ms, int64 now_ms)
{
	return wf_error_make(WF_ERRCODE_CIRCUIT_OPEN,
						 "Others have failed there: it is tried again by itself, or call wf_reset_circuit().",
						 "circuit of \"%s\" is open for " INT64_FORMAT " ms more", flight->row.host, Max(0, retry_at_ms - now_ms));
}

/* False: it was cut short so often that it may be what takes the process down, and the flight has ended with that. */
static bool
is_harmless(Flight *flight)
{
	int			cut_short = flight->row.attempts - flight->row.failures;

	if (cut_short < MOST_CUT_SHORT)
		return true;
	wf_end_unsent(flight, wf_error_make(WF_ERRCODE_PARKED, "The server's log tells what went down.",
										"request was cut short %d times by crashes while it was sent", cut_short), false, -1);
	return false;
}

/* False: the circuit is open, and the flight has ended with that. */
static bool
pass_circuit(Flight *flight, TimestampTz now)
{
	WfCircuitPass pass;
	JsonbValue	value;
	int64		now_ms = wf_dispatch_unix_ms(now);

	if (wf_json_field(&flight->request, "circuit", &value) && value.type == jbvBool && !value.val.boolean)
		return true;
	flight->circuit = MemoryContextStrdup(flight->memory,
										  psprintf("%s %s", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&flight->row.tenant_id))),
												   flight->row.host));
	flight->passed = wf_circuit_pass(wf_dispatch_circuits, flight->circuit, now_ms, &pass);
	flight->ticket = pass.ticket;
	if (!flight->passed)
		wf_end_unsent(flight, circuit_error(flight, pass.retry_at_ms, now_ms), wf_json_field(&flight->request, "retry", &value),
					  Max(0, pass.retry_at_ms - now_ms));
	return flight->passed;
}

/* False: a secret is not there, and the flight has ended with that. */
static bool
open_secrets(Flight *flight)
{
	MemoryContext old = MemoryContextSwitchTo(flight->memory);
	Jsonb	   *made;
	WfError    *problem = wf_credential_open(&flight->request, &flight->row.tenant_id, &made, &flight->secrets, &flight->n_secrets);

	MemoryContextSwitchTo(old);
	if (made != NULL)
	{
		flight->row.request = made;
		wf_json_root(made, &flight->request);
	}
	flight->secrets_age = secrets_age;
	if (problem != NULL)
		wf_end_unsent(flight, problem, false, -1);
	return problem == NULL;
}

/* Makes flights of what was taken; those that are to be sent are added to `begun`. */
static List *
begin_flights(List *begun, WfLane *lane, const Limiters *above, List *rows, TimestampTz now)
{
	ListCell   *cell;

	foreach(cell, rows)
	{
		WfRequestRow *row = lfirst(cell);
		Flight	   *flight = wf_flight_make(row);

		wf_aside_look(&row->request_id);
		flight->row.attempts += wf_cut_short_times(row);
		flight->lane = lane;
		wf_lane_begin(lane, wf_dispatch_unix_ms(now));
		wf_lane_add_bytes(lane, flight->bytes);
		wf_limits_begin(flight, above, wf_dispatch_unix_ms(now));
		if (!is_harmless(flight) || !pass_circuit(flight, now) || !open_secrets(flight))
			continue;
		flight->was_begun = true;
		flight->begun_at = now;
		begun = lappend(begun, flight);
	}
	wf_aside_look(NULL);
	return begun;
}

static void
set_last_lane(const char *name)
{
	if (last_lane != NULL)
		pfree(last_lane);
	last_lane = MemoryContextStrdup(TopMemoryContext, name);
}

/* How many the lane may send, by its own limits and those above it. */
static int
room_of(WfLane *lane, const Limiters *above, int wanted, TimestampTz now, int64 *again_ms)
{
	int			room;

	*again_ms = -1;
	if (!has_room() || wf_lane_bytes_room(lane, MOST_BYTES) == 0)
		return 0;
	room = wf_lane_room(lane, wanted, Max(wf_setting_http_max_in_flight, 1), wf_dispatch_unix_ms(now), again_ms);
	return wf_limits_room(above, room, wf_dispatch_unix_ms(now), again_ms);
}

/* For WfIsInFlight. */
static bool
is_passed_over(const pg_uuid_t *request_id, void *unused)
{
	if (wf_flight_is_there(request_id, unused) || wf_aside_has(request_id))
		return true;
	wf_aside_look(request_id);
	return false;
}

/* Is the tenant that the lane's name begins with suspended? */
static bool
is_halted(const char *lane)
{
	pg_uuid_t	tenant_id;

	return wf_uuid_read(pnstrdup(lane, strcspn(lane, " ")), &tenant_id) && wf_store_tenant_status(&tenant_id) != WF_TENANT_ACTIVE;
}

/* When to look at the lane again; 0: there is nothing in it that may be sent. */
static TimestampTz
claim_lane(WfOutbox *outbox, const char *name, TimestampTz now, List **begun, TimestampTz *floor)
{
	WfLane	   *lane = wf_lane_find(wf_dispatch_lanes, name);
	Limiters	above;
	int64		again_ms;
	int			room;
	TimestampTz next;
	List	   *rows;

	if (is_halted(name))
		return 0;				/* told again when the tenant is active */
	if (!has_room() || n_claimed >= most_claimed)
		return n_claimed > 0 ? now : DT_NOEND;
	wf_limits_of(name, wf_dispatch_unix_ms(now), &above);
	room = room_of(lane, &above, most_claimed - n_claimed, now, &again_ms);
	if (room == 0)
		return again_ms < 0 ? DT_NOEND : TimestampTzPlusMilliseconds(now, again_ms);
	if (!wf_lane_knows_limits(lane))
		room = Min(room, MOST_UNKNOWN);
	rows = wf_store_outbox_take(outbox, name, now, room, wf_lane_bytes_room(lane, MOST_BYTES), is_passed_over, NULL, &next, floor);
	wf_aside_look(NULL);
	n_claimed += list_length(rows);
	if (rows != NIL)
	{
		read_limits(lane, llast(rows), wf_dispatch_unix_ms(now));
		/* what its limits, which may be new, do not allow is left for later */
		room = room_of(lane, &above, list_length(rows), now, &again_ms);
		if (room < list_length(rows))
		{
			*floor = Min(*floor, ((WfRequestRow *) list_nth(rows, room))->due_at);
			rows = list_truncate(rows, room);
			next = again_ms < 0 ? DT_NOEND : TimestampTzPlusMilliseconds(now, again_ms);
		}
		*begun = begin_flights(*begun, lane, &above, rows, now);
		set_last_lane(name);
	}
	return next;
}

/* -- all of them -- */

/* Claims from a lane, of which everything is looked at, or what was not due before its floor; and notes when to look again. */
static void
visit_lane(WfOutbox *outbox, const char *name, TimestampTz now, bool all, List **begun)
{
	Due		   *due = wf_named_find(&dues, name);
	TimestampTz floor = all || due == NULL ? 0 : due->floor;
	TimestampTz at;

	visiting = name;
	at = claim_lane(outbox, name, now, begun, &floor);
	visiting = NULL;
	if (at == 0)
	{
		if (due != NULL)
			wf_named_drop(&dues, due);
		return;
	}
	if (due == NULL)
		due = wf_named_enter(&dues, name);
	due->at = at;
	due->floor = floor;
}

static void
forget_dues(void)
{
	HASH_SEQ_STATUS seq;
	Due		   *due;

	hash_seq_init(&seq, dues.table);
	while ((due = hash_seq_search(&seq)) != NULL)
		wf_named_drop(&dues, due);
}

/* Finds out which lanes there are, and claims from them, beginning behind the one that had the last turn. */
static List *
claim_all(WfOutbox *outbox, TimestampTz now)
{
	List	   *begun = NIL;
	char	   *first = pstrdup(last_lane == NULL ? "" : last_lane);
	char	   *lane;
	bool		wrapped = false;

	forget_dues();
	lane = wf_store_outbox_lane(outbox, first);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (lane == NULL && (wrapped || first[0] == '\0'))
			break;
		if (lane == NULL)
		{
			wrapped = true;
			lane = wf_store_outbox_lane(outbox, "");
			continue;
		}
		if (wrapped && strcmp(lane, first) > 0)
			break;
		visit_lane(outbox, lane, now, true, &begun);
		lane = wf_store_outbox_lane(outbox, lane);
	}
	return begun;
}

static int
by_name(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Claims from the lanes whose time has come, those behind the one that had the last turn first. */
static List *
claim_due(WfOutbox *outbox, TimestampTz now)
{
	List	   *begun = NIL;
	List	   *names = NIL;
	char	   *first = pstrdup(last_lane == NULL ? "" : last_lane);
	HASH_SEQ_STATUS seq;
	ListCell   *cell;
	Due		   *due;

	hash_seq_init(&seq, dues.table);
	while ((due = hash_seq_search(&seq)) != NULL)
		if (due->at <= now || (some_ended && due->at == DT_NOEND))
			names = lappend(names, pstrdup(due->head.name));
	list_sort(names, by_name);
	for (int pass = 0; pass < 2; pass++)
		foreach(cell, names)
			if ((strcmp(lfirst(cell), first) > 0) == (pass == 0))
				visit_lane(outbox, lfirst(cell), now, false, &begun);
	return begun;
}

/* Flights whose request was withdrawn. */
static void
drop_gone(void)
{
	static const FlightPhase phases[] = {FLIGHT_READY, FLIGHT_TOKEN, FLIGHT_SENT, FLIGHT_LOCKED};
	int			n = 0;
	Flight	  **flights = palloc(sizeof(Flight *) * Max(wf_flights_total(), 1));
	const WfRequestRow **rows = palloc(sizeof(WfRequestRow *) * Max(wf_flights_total(), 1));
	dlist_iter	it;
	ListCell   *cell;

	for (int i = 0; i < lengthof(phases); i++)
		dlist_foreach(it, wf_flights_of(phases[i]))
		{
			flights[n] = dlist_container(Flight, node, it.cur);
			rows[n] = &flights[n]->row;
			n++;
		}
	foreach(cell, wf_store_gone_requests(rows, n))
		wf_send_drop(flights[lfirst_int(cell)]);
}

void
wf_claim_work(MemoryContext memory)
{
	TimestampTz now = wf_clock_now();
	List	   *begun;
	WfOutbox   *outbox;

	n_claimed = 0;
	visiting = NULL;
	wf_aside_look(NULL);
	look_at_all |= wf_aside_let_go(now);
	if (is_first)
		wf_cut_short_read();
	wf_cut_short_sweep();
	if (circuits)
		wf_dispatch_read_circuits();
	if (policies)
	{
		wf_policies_read();
		wf_limits_read();
	}
	if (cancels)
		drop_gone();
	circuits = cancels = policies = false;
	if (wf_claim_next() > now)
		return;
	outbox = wf_store_outbox_begin();
	begun = look_at_all ? claim_all(outbox, now) : claim_due(outbox, now);
	wf_store_outbox_end(outbox);
	look_at_all = some_ended = false;
	if (begun != NIL)
		WF_FAULT("dispatch.claimed");
	wf_batch_begin(begun, now);
}

/* The next claim takes one request, from another lane. */
static bool
settle_error(const ErrorData *error)
{
	bool		is_known = most_claimed == 1 && wf_aside_blame(error);

	if (visiting != NULL)
		set_last_lane(visiting);
	visiting = NULL;
	most_claimed = 1;
	look_at_all = circuits = cancels = policies = true;
	return is_known;
}

bool
wf_claim_settle(const ErrorData *error)
{
	bool		committed = error == NULL;
	dlist_mutable_iter it;

	dlist_foreach_modify(it, wf_flights_of(FLIGHT_CLAIMED))
	{
		Flight	   *flight = dlist_container(Flight, node, it.cur);

		if (!committed)
		{
			flight->was_begun = false;
			wf_flight_free(flight);
			continue;
		}
		flight->row.attempts++;
		wf_flight_set_phase(flight, FLIGHT_READY);
	}
	if (!committed)
		return settle_error(error);
	is_first = false;
	most_claimed = Min(most_claimed * 2, MOST_CLAIMED);
	return false;
}

/*
 * flights.c: the requests that this process has in its hands, by their ids and by their phase.
 *
 * Each has a memory context of its own, which goes with it; secrets in it are wiped by that. A flight that is there takes a
 * place in its lane, from the claim until it is freed: that is what limits count.
 */
#include "postgres.h"

#include "base/secret.h"
#include "dispatch/flight.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct ByRequest
{
	pg_uuid_t	request_id;
	Flight	   *flight;
} ByRequest;

typedef struct ById
{
	int64		id;
	Flight	   *flight;
} ById;

static MemoryContext flights_memory;
static HTAB *by_request;
static HTAB *by_id;
static dlist_head lists[FLIGHT_LOCKED + 1];
static int	counts[FLIGHT_LOCKED + 1];
static Size all_wire_bytes = 0;
static Size all_answer_bytes = 0;
static Size locked_bytes = 0;
static int64 last_id = 0;

void
wf_flights_init(MemoryContext parent)
{
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(ByRequest)};

	flights_memory = AllocSetContextCreate(parent, "workflow flights", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = flights_memory;
	by_request = hash_create("workflow flights by request", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(ById);
	by_id = hash_create("workflow flights by id", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < lengthof(lists); i++)
	{
		dlist_init(&lists[i]);
		counts[i] = 0;
	}
	all_wire_bytes = all_answer_bytes = locked_bytes = 0;
}

static char *
copy_text(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

Flight *
wf_flight_make(const WfRequestRow *row)
{
	MemoryContext memory = AllocSetContextCreate(flights_memory, "workflow flight", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Flight	   *flight = palloc0(sizeof(Flight));
	bool		found;

	flight->memory = memory;
	flight->id = ++last_id;
	flight->row = *row;
	flight->row.lane = copy_text(row->lane);
	flight->row.node = copy_text(row->node);
	flight->row.method = copy_text(row->method);
	flight->row.host = copy_text(row->host);
	flight->row.path = copy_text(row->path);
	flight->row.trace = copy_text(row->trace);
	flight->bytes = VARSIZE(row->request);
	flight->row.request = palloc(flight->bytes);
	memcpy(flight->row.request, row->request, flight->bytes);
	wf_json_root(flight->row.request, &flight->request);
	((ByRequest *) hash_search(by_request, &row->request_id, HASH_ENTER, &found))->flight = flight;
	((ById *) hash_search(by_id, &flight->id, HASH_ENTER, &found))->flight = flight;
	flight->phase = FLIGHT_CLAIMED;
	dlist_push_tail(&lists[FLIGHT_CLAIMED], &flight->node);
	counts[FLIGHT_CLAIMED]++;
	MemoryContextSwitchTo(old);
	return flight;
}

void
wf_flight_set_phase(Flight *flight, FlightPhase phase)
{
	dlist_delete(&flight->node);
	counts[flight->phase]--;
	flight->phase = phase;
	dlist_push_tail(&lists[phase], &flight->node);
	counts[phase]++;
}

void
wf_flight_free(Flight *flight)
{
	dlist_delete(&flight->node);
	counts[flight->phase]--;
	all_wire_bytes -= flight->wire_bytes;
	wf_flight_note_answer(flight, 0);
	hash_search(by_request, &flight->row.request_id, HASH_REMOVE, NULL);
	hash_search(by_id, &flight->id, HASH_REMOVE, NULL);
	if (flight->passed)
		wf_circuit_give_up(wf_dispatch_circuits, flight->circuit, flight->ticket);
	wf_batch_leave(flight);
	wf_limits_end(flight, flight->was_begun);
	if (flight->lane != NULL)
		wf_lane_add_bytes(flight->lane, -(int64) (flight->bytes + flight->wire_bytes));
	if (flight->lane != NULL && flight->was_begun)
		wf_lane_end(flight->lane);
	else if (flight->lane != NULL)
		wf_lane_give_back(flight->lane);	/* its circuit is open, or the transaction was aborted */
	wf_claim_some_ended();
	MemoryContextDelete(flight->memory);
}

bool
wf_flight_is_there(const pg_uuid_t *request_id, void *unused)
{
	return hash_search(by_request, request_id, HASH_FIND, NULL) != NULL;
}

Flight *
wf_flight_find(int64 id)
{
	ById	   *found = hash_search(by_id, &id, HASH_FIND, NULL);

	return found == NULL ? NULL : found->flight;
}

dlist_head *
wf_flights_of(FlightPhase phase)
{
	return &lists[phase];
}

int
wf_flights_count(FlightPhase phase)
{
	return counts[phase];
}

int
wf_flights_total(void)
{
	int			n = 0;

	for (int i = 0; i < lengthof(counts); i++)
		n += counts[i];
	return n;
}

void
wf_flight_note_wire(Flight *flight, Size bytes)
{
	Size		before = flight->bytes + flight->wire_bytes;

	all_wire_bytes += bytes - flight->wire_bytes;
	flight->wire_bytes = bytes;
	flight->bytes = VARSIZE(flight->row.request);
	if (flight->lane != NULL)
		wf_lane_add_bytes(flight->lane, (int64) (flight->bytes + bytes) - (int64) before);
}

Size
wf_flights_wire_bytes(void)
{
	return all_wire_bytes;
}

void
wf_flight_note_answer(Flight *flight, Size bytes)
{
	Size	   *all = flight->was_locked ? &locked_bytes : &all_answer_bytes;

	*all += bytes - flight->answer_bytes;
	flight->answer_bytes = bytes;
}

void
wf_flight_note_locked(Flight *flight)
{
	Size		bytes = flight->answer_bytes;

	wf_flight_note_answer(flight, 0);
	flight->was_locked = true;
	wf_flight_note_answer(flight, bytes);
}

Size
wf_flights_locked_bytes(void)
{
	return locked_bytes;
}

Size
wf_flights_answer_bytes(void)
{
	return all_answer_bytes;
}

/*
 * end.c: what came of an attempt: the answer for the run, another attempt later, or the end of the request.
 *
 * A circuit that is open is a failed attempt that was not sent. A request that says nothing of retries fails with that at
 * once, since its host is known to be down; one that has a policy of its own is tried again by it, not before the circuit
 * lets somebody through.
 */
#include "postgres.h"

#include "base/clock.h"
#include "common/pg_prng.h"
#include "dispatch/flight.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

static char *
id_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/* The payload of the message to the run. */
static Jsonb *
reply_of(const Flight *flight, const WfAnswer *answer, const Jsonb *error)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "request_id", id_text(&flight->row.request_id));
	wf_json_key(w, answer->failed ? "failed" : "result", 6);
	wf_json_put_jsonb(w, answer->failed ? error : answer->output);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

Jsonb *
wf_end_logged_error(const JsonbValue *request, const WfError *error)
{
	WfError		shown = *error;
	JsonbValue	personal;

	if (wf_json_field(request, "personal", &personal))
		shown.details = NULL;
	return wf_error_to_json(&shown);
}

static void
tell_circuit(Flight *flight, const WfAnswer *answer, TimestampTz now)
{
	if (!flight->passed)
		return;
	flight->passed = false;
	if (wf_circuit_tell(wf_dispatch_circuits, flight->circuit, flight->ticket, answer->failed && answer->counts_against_host,
						wf_dispatch_unix_ms(now)))
		wf_dispatch_note_circuit(flight);
}

int64
wf_end_retry_delay_ms(const JsonbValue *request, const WfAttempt *attempt)
{
	JsonbValue	retry;

	return wf_retry_delay_ms(wf_json_field(request, "retry", &retry) ? &retry : NULL, attempt);
}

/* In how many ms it is tried again; -1: it is not. */
static int64
delay_of(const Flight *flight, const WfAnswer *answer, int64 retry_after_ms, TimestampTz now)
{
	WfAttempt	attempt = {0};

	attempt.failures = flight->row.failures + 1;
	attempt.elapsed_ms = (now - flight->row.created_at) / 1000;
	attempt.status = answer->status;
	attempt.code = answer->error->code;
	attempt.is_retryable = answer->is_retryable;
	attempt.retry_after_ms = retry_after_ms;
	attempt.random = pg_prng_double(&pg_global_prng_state);
	return wf_end_retry_delay_ms(&flight->request, &attempt);
}

static double
ms_of(int64 us)
{
	return us / 1000.0;
}

void
wf_end_fill_times(WfRequestEnd *end, const WfNetResult *result)
{
	end->dns_ms = end->connect_ms = end->tls_ms = end->first_byte_ms = -1;
	if (result == NULL)
		return;
	end->total_ms += ms_of(result->total_us);
	end->dns_ms = ms_of(result->dns_us);
	end->connect_ms = ms_of(result->connect_us);
	end->tls_ms = ms_of(result->tls_us);
	end->first_byte_ms = ms_of(result->first_byte_us);
}

static Size
size_of(const Jsonb *json)
{
	return json == NULL ? 0 : VARSIZE(json);
}

/* There was no room in this process, or no descriptor for the connection; the host has nothing to do with it. */
static bool
never_left(const WfNetResult *result)
{
	return result != NULL && result->outcome == WF_NET_OVERLOADED && !result->was_sent;
}

/*
 * What never left is nobody's failure, and is tried again soon: in how many ms. -1: it counts as any other attempt, as what was sent
 * does. How often that was so before is what attempts have that did not fail; what crashes have cut short is among them.
 */
static int64
uncounted_delay_ms(const Flight *flight, const WfNetResult *result, TimestampTz now)
{
	JsonbValue	retry;

	if (!never_left(result))
		return -1;
	return wf_retry_uncounted_delay_ms(wf_json_field(&flight->request, "retry", &retry) ? &retry : NULL,
									   Max(flight->row.attempts - flight->row.failures - 1, 0), (now - flight->row.created_at) / 1000,
									   pg_prng_double(&pg_global_prng_state));
}

/* The memory of what comes of it, empty. */
static MemoryContext
end_memory(Flight *flight)
{
	if (flight->end_memory == NULL)
		flight->end_memory = AllocSetContextCreate(flight->memory, "workflow end of a flight", ALLOCSET_SMALL_SIZES);
	else
		MemoryContextReset(flight->end_memory);
	return flight->end_memory;
}

static void
end_with(Flight *flight, const WfAnswer *answer, const WfNetResult *result, int64 retry_after_ms)
{
	MemoryContext old = MemoryContextSwitchTo(end_memory(flight));
	TimestampTz now = wf_clock_now();
	WfRequestEnd *end = &flight->end;
	int64		delay_ms = uncounted_delay_ms(flight, result, now);
	bool		counts = delay_ms < 0;

	if (counts && answer->failed)
		delay_ms = delay_of(flight, answer, retry_after_ms, now);

	memset(end, 0, sizeof(*end));
	end->row = &flight->row;
	end->status = answer->status;
	end->attempts = flight->row.attempts;
	end->ended_at = now;
	end->total_ms = flight->row.duration_ms;
	wf_end_fill_times(end, result);
	if (answer->failed)
		end->error = wf_end_logged_error(&flight->request, answer->error);
	if (!flight->is_stripped)	/* else the setting came while it was on its way */
		end->bodies = wf_bodies_of(&flight->request, answer);
	if (delay_ms >= 0)
	{
		end->failures = flight->row.failures + (counts ? 1 : 0);
		end->due_at = TimestampTzPlusMilliseconds(now, delay_ms);
	}
	else
	{
		end->state = answer->failed ? "failed" : "completed";
		if (!flight->row.forget)
			end->reply = reply_of(flight, answer, answer->failed ? wf_error_to_json(answer->error) : NULL);
	}
	wf_flight_note_wire(flight, 0);
	wf_flight_note_answer(flight, size_of(end->error) + size_of(end->bodies) + size_of(end->reply));
	wf_flight_set_phase(flight, FLIGHT_ENDED);
	MemoryContextSwitchTo(old);
}

void
wf_end_flight(Flight *flight, const WfAnswer *answer, const WfNetResult *result)
{
	TimestampTz now = wf_clock_now();

	if (!never_left(result))
		tell_circuit(flight, answer, now);
	end_with(flight, answer, result, wf_net_result_retry_after_ms(result, wf_dispatch_unix_ms(now)));
}

void
wf_end_give_up(Flight *flight)
{
	MemoryContext old = MemoryContextSwitchTo(end_memory(flight));
	WfRequestEnd *end = &flight->end;

	if (end->state != NULL)
	{
		end->failures = flight->row.failures;
		end->due_at = wf_clock_now();
	}
	end->state = NULL;
	end->bodies = end->reply = NULL;
	end->error = wf_error_to_json(wf_error_make(WF_ERRCODE_LIMIT_EXCEEDED, NULL,
												"answer was given up for lack of room, while the request was locked"));
	wf_flight_note_answer(flight, size_of(end->error));
	MemoryContextSwitchTo(old);
}

void
wf_end_unsent(Flight *flight, const WfError *error, bool is_retryable, int64 retry_after_ms)
{
	WfAnswer	answer = {.failed = true, .error = unconstify(WfError *, error), .is_retryable = is_retryable};

	end_with(flight, &answer, NULL, retry_after_ms);
}

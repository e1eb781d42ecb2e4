/*
 * policy_test.c: retries, lanes and circuits driven from SQL with a clock of the test's, for tests only.
 *
 * wf_sql_test_policy(script jsonb) RETURNS jsonb: plays steps on new lanes and circuits; gives one text per step. A step is {"at": ms,
 * "do": what, ...}; "at" stays until the next one that has it; "times": n repeats it, and the last result is shown.
 *   pass, tell, giveUp, look, set, reset   "circuit"; "as" names the attempt (default: the circuit), "failed"; set has the members
 *                                          of WfCircuitLook: "state", "changed", "retryAt", "timesOpened"
 *   limit, room, begin, end, back, take    "lane"; limit: "most", "per", "requests", "burst"; room and take: "wanted", "max"; take is room,
 *                                          and begin for all that there is
 *   bytes, heavy, light                    "lane"; bytes: the room for them, "most"; heavy begins one with "bytes", light ends it
 *   sweep                                  both
 *   many                                   "n" lanes or circuits, named "lane" or "circuit" and a number, each begun and ended, or told "failed"
 *   bound                                  "lanes", "circuits": the bounds on memory, until the end of the script
 *
 * wf_sql_test_retry(retry jsonb, attempt jsonb) RETURNS int8: wf_retry_delay_ms; members of WfAttempt in camel case.
 *                                          With "uncounted" (times): wf_retry_uncounted_delay_ms.
 *
 * random_test.c of this room has the checks with random steps.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "dispatch/policy.h"
#include "fmgr.h"
#include "utils/builtins.h"

PGDLLEXPORT Datum wf_sql_test_policy(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_policy);
PGDLLEXPORT Datum wf_sql_test_retry(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_retry);

#define MOST_ATTEMPTS 100

typedef struct Attempt
{
	const char *name;
	uint64		ticket;
} Attempt;

typedef struct Play
{
	WfLanes    *lanes;
	WfCircuits *circuits;
	int64		now_ms;
	Attempt		attempts[MOST_ATTEMPTS];
	int			n_attempts;
} Play;

static int64
get_int(const JsonbValue *object, const char *key, int64 otherwise)
{
	JsonbValue	v;
	int64		n;

	return wf_json_field(object, key, &v) && wf_json_int64(&v, &n) ? n : otherwise;
}

static double
get_number(const JsonbValue *object, const char *key, double otherwise)
{
	JsonbValue	v;
	double		n;

	return wf_json_field(object, key, &v) && wf_json_double(&v, &n) ? n : otherwise;
}

static bool
get_bool(const JsonbValue *object, const char *key)
{
	JsonbValue	v;

	return wf_json_field(object, key, &v) && v.type == jbvBool && v.val.boolean;
}

/* -- circuits -- */

/* The ticket that the step's attempt has. */
static uint64 *
ticket_of(Play *play, const JsonbValue *step, const char *circuit)
{
	const char *name = wf_json_get_cstring(step, "as");

	if (name == NULL)
		name = circuit;
	for (int i = 0; i < play->n_attempts; i++)
	{
		if (strcmp(play->attempts[i].name, name) == 0)
			return &play->attempts[i].ticket;
	}
	if (play->n_attempts == MOST_ATTEMPTS)
		elog(ERROR, "too many names");
	play->attempts[play->n_attempts].name = name;
	return &play->attempts[play->n_attempts++].ticket;
}

static const char *
do_pass(Play *play, const JsonbValue *step, const char *circuit)
{
	WfCircuitPass pass;

	if (!wf_circuit_pass(play->circuits, circuit, play->now_ms, &pass))
		return psprintf("refused until " INT64_FORMAT, pass.retry_at_ms);
	*ticket_of(play, step, circuit) = pass.ticket;
	return pass.is_probe ? "probe" : "passed";
}

static const char *
do_look(Play *play, const char *circuit)
{
	WfCircuitLook look;

	wf_circuit_look(play->circuits, circuit, play->now_ms, &look);
	return psprintf("%s %d/%d since " INT64_FORMAT " until " INT64_FORMAT " times %d", wf_circuit_state_name(look.state),
					look.failures, look.attempts, look.changed_ms, look.retry_at_ms, look.times_opened);
}

static void
do_set(Play *play, const JsonbValue *step, const char *circuit)
{
	WfCircuitLook look = {
		.state = (WfCircuitState) get_int(step, "state", WF_CIRCUIT_OPEN),
		.changed_ms = get_int(step, "changed", 0),
		.retry_at_ms = get_int(step, "retryAt", 0),
		.times_opened = (int) get_int(step, "timesOpened", 1),
	};

	wf_circuit_set(play->circuits, circuit, &look);
}

static const char *
play_circuit(Play *play, const JsonbValue *step, const char *what, const char *circuit)
{
	if (strcmp(what, "pass") == 0)
		return do_pass(play, step, circuit);
	if (strcmp(what, "tell") == 0)
		return wf_circuit_tell(play->circuits, circuit, *ticket_of(play, step, circuit), get_bool(step, "failed"), play->now_ms)
			? "changed" : "";
	if (strcmp(what, "look") == 0)
		return do_look(play, circuit);
	if (strcmp(what, "giveUp") == 0)
		wf_circuit_give_up(play->circuits, circuit, *ticket_of(play, step, circuit));
	else if (strcmp(what, "set") == 0)
		do_set(play, step, circuit);
	else if (strcmp(what, "reset") == 0)
		wf_circuit_set(play->circuits, circuit, NULL);
	else
		return NULL;
	return "";
}

/* -- lanes -- */

static const char *
do_room(Play *play, const JsonbValue *step, WfLane *lane, bool takes)
{
	int64		again_ms;
	int			room = wf_lane_room(lane, (int) get_int(step, "wanted", 1000), (int) get_int(step, "max", 1000), play->now_ms, &again_ms);

	for (int i = 0; takes && i < room; i++)
		wf_lane_begin(lane, play->now_ms);
	if (room > 0)
		return psprintf("%d", room);
	return again_ms < 0 ? "none until one ends" : psprintf("none for " INT64_FORMAT, again_ms);
}

static const char *
play_lane(Play *play, const JsonbValue *step, const char *what, const char *name)
{
	WfLane	   *lane = wf_lane_find(play->lanes, name);
	WfLaneLimits limits = {
		.most = (int) get_int(step, "most", 0),
		.per_ms = get_int(step, "per", 0),
		.requests = (int) get_int(step, "requests", 0),
		.burst = (int) get_int(step, "burst", 0),
	};

	if (strcmp(what, "room") == 0 || strcmp(what, "take") == 0)
		return do_room(play, step, lane, what[0] == 't');
	if (strcmp(what, "bytes") == 0)
		return psprintf(INT64_FORMAT, wf_lane_bytes_room(lane, get_int(step, "most", 0)));
	if (strcmp(what, "light") == 0)
		wf_lane_add_bytes(lane, -get_int(step, "bytes", 0));
	if (strcmp(what, "limit") == 0)
		wf_lane_limit(lane, &limits, play->now_ms);
	else if (strcmp(what, "begin") == 0 || strcmp(what, "heavy") == 0)
		wf_lane_begin(lane, play->now_ms);
	else if (strcmp(what, "end") == 0 || strcmp(what, "light") == 0)
		wf_lane_end(lane);
	else if (strcmp(what, "back") == 0)
		wf_lane_give_back(lane);
	else
		return NULL;
	if (strcmp(what, "heavy") == 0)
		wf_lane_add_bytes(lane, get_int(step, "bytes", 0));
	return psprintf("%d of %d", wf_lane_in_flight(lane), wf_lanes_in_flight(play->lanes));
}

/* -- scripts -- */

static const char *
say_counts(const Play *play)
{
	return psprintf("%d lanes, %d circuits", wf_lanes_count(play->lanes), wf_circuits_count(play->circuits));
}

static const char *
do_many(Play *play, const JsonbValue *step, const char *lane, const char *circuit)
{
	for (int i = 0; i < get_int(step, "n", 0); i++)
	{
		const char *name = psprintf("%s%d", lane != NULL ? lane : circuit, i);

		if (lane == NULL)
			wf_circuit_tell(play->circuits, name, 0, get_bool(step, "failed"), play->now_ms);
		else
		{
			play_lane(play, step, "limit", name);
			play_lane(play, step, "begin", name);
			play_lane(play, step, "end", name);
		}
	}
	return say_counts(play);
}

static const char *
play_step(Play *play, const JsonbValue *step)
{
	const char *what = wf_json_get_cstring(step, "do");
	const char *lane = wf_json_get_cstring(step, "lane");
	const char *circuit = wf_json_get_cstring(step, "circuit");
	const char *said = NULL;

	if (strcmp(what, "many") == 0)
		return do_many(play, step, lane, circuit);
	if (lane != NULL)
		said = play_lane(play, step, what, lane);
	else if (circuit != NULL)
		said = play_circuit(play, step, what, circuit);
	else if (strcmp(what, "sweep") == 0)
	{
		wf_lanes_sweep(play->lanes, play->now_ms);
		wf_circuits_sweep(play->circuits, play->now_ms);
		said = say_counts(play);
	}
	else if (strcmp(what, "bound") == 0)
	{
		wf_lanes_most = (int) get_int(step, "lanes", wf_lanes_most);
		wf_circuits_most = (int) get_int(step, "circuits", wf_circuits_most);
		said = "";
	}
	if (said == NULL)
		elog(ERROR, "no such step: %s", what);
	return said;
}

Datum
wf_sql_test_policy(PG_FUNCTION_ARGS)
{
	int			lanes_most = wf_lanes_most;
	int			circuits_most = wf_circuits_most;
	Play	   *play = palloc0(sizeof(Play));
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	script;
	JsonbValue	step;
	WfJsonIter	it;

	play->lanes = wf_lanes_create();
	play->circuits = wf_circuits_create();
	wf_json_root(PG_GETARG_JSONB_P(0), &script);
	wf_json_begin_array(w);
	wf_json_iter_begin(&it, &script);
	while (wf_json_iter_next(&it, NULL, &step))
	{
		const char *said = NULL;

		play->now_ms = get_int(&step, "at", play->now_ms);
		for (int i = 0; i < get_int(&step, "times", 1); i++)
			said = play_step(play, &step);
		wf_json_put_cstring(w, said);
	}
	wf_json_end_array(w);
	wf_lanes_destroy(play->lanes);
	wf_circuits_destroy(play->circuits);
	wf_lanes_most = lanes_most;
	wf_circuits_most = circuits_most;
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

Datum
wf_sql_test_retry(PG_FUNCTION_ARGS)
{
	JsonbValue	retry;
	JsonbValue	given;
	JsonbValue	uncounted;
	WfAttempt	attempt;

	wf_json_root(PG_GETARG_JSONB_P(1), &given);
	attempt.failures = (int) get_int(&given, "failures", 1);
	attempt.elapsed_ms = get_int(&given, "elapsedMs", 0);
	attempt.status = (int) get_int(&given, "status", 0);
	attempt.code = wf_json_get_cstring(&given, "code");
	attempt.is_retryable = get_bool(&given, "isRetryable");
	attempt.retry_after_ms = get_int(&given, "retryAfterMs", -1);
	attempt.random = get_number(&given, "random", 0);
	if (!PG_ARGISNULL(0))
		wf_json_root(PG_GETARG_JSONB_P(0), &retry);
	if (wf_json_field(&given, "uncounted", &uncounted))
		PG_RETURN_INT64(wf_retry_uncounted_delay_ms(PG_ARGISNULL(0) ? NULL : &retry, (int) get_int(&given, "uncounted", 0),
													attempt.elapsed_ms, attempt.random));
	PG_RETURN_INT64(wf_retry_delay_ms(PG_ARGISNULL(0) ? NULL : &retry, &attempt));
}

#endif

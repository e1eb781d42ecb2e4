/*
 * random_test.c: lanes and circuits under random steps, held against what must always be so; for tests only.
 *
 * wf_sql_test_lanes_random(seed int8, steps int) RETURNS text, wf_sql_test_circuits_random(seed int8, steps int) RETURNS text: what was broken, or
 * "held". Models here are lists of what happened, looked through from the definitions.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "common/pg_prng.h"
#include "dispatch/policy.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PGDLLEXPORT Datum wf_sql_test_lanes_random(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_lanes_random);
PGDLLEXPORT Datum wf_sql_test_circuits_random(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_circuits_random);

static int64
up_to(pg_prng_state *rng, int64 most)
{
	return (int64) pg_prng_uint64_range(rng, 0, (uint64) most);
}

/* A number of any size up to `most`, small ones as often as large ones. */
static int64
of_any_size(pg_prng_state *rng, int64 most)
{
	int64		limit = INT64CONST(1) << up_to(rng, 40);

	return 1 + up_to(rng, Min(limit, most) - 1);
}

/* -- one bucket, used as fast as it lets -- */

/* Must give burst + floor(t * requests / per) in t ms, to the very ms, whatever the numbers. */
static const char *
check_greedy(pg_prng_state *rng)
{
	WfLaneLimits limits = {.per_ms = of_any_size(rng, 1000000), .requests = (int) of_any_size(rng, 5000), .burst = (int) of_any_size(rng, 300)};
	WfLanes    *lanes = wf_lanes_create();
	WfLane	   *lane = wf_lane_find(lanes, "a");
	int64		begin_ms = up_to(rng, 2) * INT64CONST(1700000000123);
	int64		now_ms = begin_ms;
	int64		begun = 0;
	const char *broken = NULL;

	wf_lane_limit(lane, &limits, now_ms);
	for (int i = 0; i < 500 && broken == NULL; i++)
	{
		int64		again_ms;
		int			room;
		int64		due;

		/* A bucket that never empties is broken; do not wait for it. */
		while ((room = wf_lane_room(lane, 1000, 1000000, now_ms, &again_ms)) > 0 && begun < 100000000)
		{
			begun += room;
			for (int k = 0; k < room; k++)
			{
				wf_lane_begin(lane, now_ms);
				wf_lane_end(lane);
			}
		}
		/* A bucket of one token may have run over within a ms. */
		due = limits.burst + (now_ms - begin_ms) * limits.requests / limits.per_ms;
		if (begun > due || (begun < due && (limits.burst - 1) * limits.per_ms >= limits.requests - 1))
			broken = psprintf("a rate of %d in " INT64_FORMAT " ms, burst %d, gave " INT64_FORMAT " in " INT64_FORMAT " ms",
							  limits.requests, limits.per_ms, limits.burst, begun, now_ms - begin_ms);
		if (again_ms < 1)
			broken = "nothing to wait for";
		now_ms += again_ms;
	}
	wf_lanes_destroy(lanes);
	return broken;
}

/* -- several lanes -- */

#define N_LANES 4
#define MOST_SENT 3000

typedef struct LaneModel
{
	WfLaneLimits limits;
	int			in_flight;
	int			n_sent;
	int64		sent_ms[MOST_SENT]; /* in true time */
	int			jumps[MOST_SENT];	/* how often the clock had been set forward by then */
} LaneModel;

typedef struct LanesModel
{
	WfLanes    *lanes;
	LaneModel	lane[N_LANES];
	int			in_flight;
	int			max_in_flight;
	int64		true_ms;
	int64		clock_ms;		/* what it shows */
	int			jumps;
} LanesModel;

static const char *const lane_names[N_LANES] = {"t1 a.example", "t1 b.example", "t2 a.example", "t1 a.example n1"};

static void
move_time(LanesModel *m, pg_prng_state *rng)
{
	int64		ms = up_to(rng, 3) == 0 ? up_to(rng, 3000) : up_to(rng, 20);

	m->true_ms += ms;
	m->clock_ms += ms;
	if (up_to(rng, 99) == 0)
		m->clock_ms -= up_to(rng, 3) == 0 ? 3600000 : up_to(rng, 2000);
	else if (up_to(rng, 199) == 0)
	{
		m->clock_ms += 3600000;
		m->jumps++;
	}
}

/* Asks for room and takes of it what chance wants. */
static const char *
take_some(LanesModel *m, int i, pg_prng_state *rng)
{
	LaneModel  *model = &m->lane[i];
	WfLane	   *lane = wf_lane_find(m->lanes, lane_names[i]);
	int			wanted = (int) up_to(rng, 50);
	int			left = Max(m->max_in_flight - (m->in_flight - model->in_flight), 0);
	int64		again_ms;
	int			room;
	int			taken;

	wf_lane_limit(lane, &model->limits, m->clock_ms);
	room = wf_lane_room(lane, wanted, m->max_in_flight, m->clock_ms, &again_ms);
	if (room < 0 || room > wanted)
		return "more than wanted";
	if (room > 0 && m->in_flight + room > m->max_in_flight)
		return "more than all may be";
	if (room > 0 && 2 * (model->in_flight + room) > left + 1)
		return "more than half of what the others leave";
	if (room > 0 && model->limits.most > 0 && model->in_flight + room > model->limits.most)
		return "more than its own limit";
	if (wanted > 0 && room == 0 && again_ms == 0)
		return "no word of when to ask again";
	taken = room > 0 ? (int) up_to(rng, room) : 0;
	for (int k = 0; k < taken && model->n_sent < MOST_SENT; k++)
	{
		wf_lane_begin(lane, m->clock_ms);
		model->in_flight++;
		m->in_flight++;
		if (up_to(rng, 9) == 0)
		{
			wf_lane_give_back(lane);
			model->in_flight--;
			m->in_flight--;
			continue;
		}
		model->sent_ms[model->n_sent] = m->true_ms;
		model->jumps[model->n_sent++] = m->jumps;
	}
	return NULL;
}

static void
end_some(LanesModel *m, int i, pg_prng_state *rng)
{
	for (int n = (int) up_to(rng, m->lane[i].in_flight); n > 0; n--)
	{
		wf_lane_end(wf_lane_find(m->lanes, lane_names[i]));
		m->lane[i].in_flight--;
		m->in_flight--;
	}
}

/* In no time were there more than burst + rate * time, or a burst more for each time that the clock was set forward. */
static const char *
check_rate(const LaneModel *model)
{
	const WfLaneLimits *limits = &model->limits;

	if (limits->per_ms == 0)
		return NULL;
	for (int i = 0; i < model->n_sent; i++)
	{
		for (int j = i; j < model->n_sent; j++)
		{
			int64		ms = model->sent_ms[j] - model->sent_ms[i];
			int64		most = (int64) limits->burst * (1 + model->jumps[j] - model->jumps[i]) + ms * limits->requests / limits->per_ms;

			if (j - i + 1 > most)
				return psprintf("%d sent in " INT64_FORMAT " ms, with a rate of %d in " INT64_FORMAT " ms and a burst of %d", j - i + 1,
								ms, limits->requests, limits->per_ms, limits->burst);
		}
	}
	return NULL;
}

static void
begin_lanes(LanesModel *m, pg_prng_state *rng)
{
	m->lanes = wf_lanes_create();
	m->clock_ms = INT64CONST(1700000000000);
	m->max_in_flight = 1 + (int) up_to(rng, 60);
	for (int i = 0; i < N_LANES; i++)
	{
		if (up_to(rng, 1) == 0)
			m->lane[i].limits.most = 1 + (int) up_to(rng, 20);
		if (up_to(rng, 3) == 0)
			continue;
		m->lane[i].limits.per_ms = of_any_size(rng, 10000);
		m->lane[i].limits.requests = (int) of_any_size(rng, 40);
		m->lane[i].limits.burst = (int) of_any_size(rng, 40);
	}
}

Datum
wf_sql_test_lanes_random(PG_FUNCTION_ARGS)
{
	LanesModel *m = palloc0(sizeof(LanesModel));
	const char *broken;
	pg_prng_state rng;

	pg_prng_seed(&rng, (uint64) PG_GETARG_INT64(0));
	broken = check_greedy(&rng);
	begin_lanes(m, &rng);
	for (int step = 0; step < PG_GETARG_INT32(1) && broken == NULL; step++)
	{
		int			i = (int) up_to(&rng, N_LANES - 1);

		CHECK_FOR_INTERRUPTS();
		move_time(m, &rng);
		broken = take_some(m, i, &rng);
		end_some(m, (int) up_to(&rng, N_LANES - 1), &rng);
		if (up_to(&rng, 49) == 0)
			m->max_in_flight = 1 + (int) up_to(&rng, 60);
		if (up_to(&rng, 19) == 0)
			wf_lanes_sweep(m->lanes, m->clock_ms);
		if (wf_lanes_in_flight(m->lanes) != m->in_flight ||
			wf_lane_in_flight(wf_lane_find(m->lanes, lane_names[i])) != m->lane[i].in_flight)
			broken = "counts of what is in flight differ";
	}
	for (int i = 0; i < N_LANES && broken == NULL; i++)
		broken = check_rate(&m->lane[i]);
	wf_lanes_destroy(m->lanes);
	PG_RETURN_TEXT_P(cstring_to_text(broken == NULL ? "held" : broken));
}

/* -- a circuit -- */

#define MOST_PASSED 200
#define MOST_TOLD 20000

typedef struct Passed
{
	uint64		ticket;
	bool		is_probe;
	int64		at_ms;
	int			era;			/* how often the state had changed by then */
} Passed;

typedef struct CircuitModel
{
	WfCircuits *circuits;
	int64		now_ms;
	WfCircuitState state;		/* closed, or open */
	int			era;
	int64		retry_at_ms;
	int			times_opened;
	int			n_passed;
	Passed		passed[MOST_PASSED];	/* and not over */
	int			n_told;
	int64		told_ms[MOST_TOLD];	/* since it closed */
	bool		told_failed[MOST_TOLD];
} CircuitModel;

/* The probe that may speak, or NULL. */
static const Passed *
live_probe(const CircuitModel *m)
{
	const Passed *last = NULL;

	for (int i = 0; i < m->n_passed; i++)
	{
		const Passed *p = &m->passed[i];

		if (p->is_probe && p->era == m->era && (last == NULL || p->ticket > last->ticket))
			last = p;
	}
	return last;
}

static const char *
try_to_pass(CircuitModel *m)
{
	const Passed *probe = live_probe(m);
	bool		is_open = m->state == WF_CIRCUIT_OPEN;
	bool		may = !is_open || (m->now_ms >= m->retry_at_ms && (probe == NULL || m->now_ms - probe->at_ms >= 300000));
	WfCircuitPass pass;
	bool		passed = wf_circuit_pass(m->circuits, "t h", m->now_ms, &pass);

	if (passed != may)
		return passed ? "passed, and should not" : "refused, and should not";
	if (!passed)
		return pass.retry_at_ms > m->now_ms ? NULL : "refused until now";
	if (pass.is_probe != is_open)
		return "a probe, or none, at the wrong time";
	if (m->n_passed < MOST_PASSED)
		m->passed[m->n_passed++] = (Passed) {.ticket = pass.ticket, .is_probe = pass.is_probe, .at_ms = m->now_ms, .era = m->era};
	else
		wf_circuit_give_up(m->circuits, "t h", pass.ticket);
	return NULL;
}

static void
window(const CircuitModel *m, int *attempts, int *failures)
{
	*attempts = *failures = 0;
	for (int i = 0; i < m->n_told; i++)
	{
		if (m->told_ms[i] / 5000 <= m->now_ms / 5000 - 12)
			continue;
		*attempts += 1;
		*failures += m->told_failed[i];
	}
}

static void
change(CircuitModel *m, WfCircuitState state)
{
	m->state = state;
	m->era++;
	if (state == WF_CIRCUIT_CLOSED)
	{
		m->times_opened = 0;
		m->retry_at_ms = 0;
		m->n_told = 0;
		return;
	}
	m->times_opened++;
	m->retry_at_ms = m->now_ms + Min(INT64CONST(30000) << Min(m->times_opened - 1, 10), 600000);
}

/* What the end of this attempt should change. */
static bool
tell_model(CircuitModel *m, const Passed *p, const Passed *probe, bool failed)
{
	int			attempts;
	int			failures;

	if (p->era != m->era)
		return false;
	if (m->state == WF_CIRCUIT_OPEN)
	{
		if (probe == NULL || probe->ticket != p->ticket)
			return false;
		change(m, failed ? WF_CIRCUIT_OPEN : WF_CIRCUIT_CLOSED);
		return true;
	}
	if (m->n_told < MOST_TOLD)
	{
		m->told_ms[m->n_told] = m->now_ms;
		m->told_failed[m->n_told++] = failed;
	}
	window(m, &attempts, &failures);
	if (!failed || attempts < 10 || 2 * failures < attempts)
		return false;
	change(m, WF_CIRCUIT_OPEN);
	return true;
}

/* One of those that passed is over. */
static const char *
end_one(CircuitModel *m, pg_prng_state *rng, double share)
{
	int			i = (int) up_to(rng, m->n_passed - 1);
	Passed		p = m->passed[i];
	const Passed *probe = live_probe(m);
	Passed		probe_copy;
	bool		failed = pg_prng_double(rng) < share;

	if (probe != NULL)
	{
		probe_copy = *probe;
		probe = &probe_copy;
	}
	if (up_to(rng, 29) == 0)
		return NULL;			/* never heard of again */
	/* A probe that was replaced must not come back to life in the model when its successor is gone. */
	m->passed[i] = m->passed[--m->n_passed];
	if (probe != NULL && probe->ticket == p.ticket)
	{
		for (int k = 0; k < m->n_passed; k++)
			m->passed[k].is_probe = false;
	}
	if (up_to(rng, 9) == 0)
	{
		wf_circuit_give_up(m->circuits, "t h", p.ticket);
		return NULL;
	}
	if (wf_circuit_tell(m->circuits, "t h", p.ticket, failed, m->now_ms) != tell_model(m, &p, probe, failed))
		return "told, and the change is not as it should be";
	return NULL;
}

static const char *
compare_look(CircuitModel *m)
{
	WfCircuitLook look;
	WfCircuitState state = m->state == WF_CIRCUIT_OPEN && m->now_ms >= m->retry_at_ms ? WF_CIRCUIT_HALF_OPEN : m->state;
	int			attempts;
	int			failures;

	wf_circuit_look(m->circuits, "t h", m->now_ms, &look);
	window(m, &attempts, &failures);
	if (look.state != state || look.retry_at_ms != m->retry_at_ms || look.times_opened != m->times_opened)
		return psprintf("%s, and should be %s", wf_circuit_state_name(look.state), wf_circuit_state_name(state));
	if (look.attempts != attempts || look.failures != failures)
		return psprintf("counted %d/%d, and should %d/%d", look.failures, look.attempts, failures, attempts);
	return NULL;
}

Datum
wf_sql_test_circuits_random(PG_FUNCTION_ARGS)
{
	CircuitModel *m = palloc0(sizeof(CircuitModel));
	const char *broken = NULL;
	double		share = 0.5;
	pg_prng_state rng;

	pg_prng_seed(&rng, (uint64) PG_GETARG_INT64(0));
	m->circuits = wf_circuits_create();
	m->now_ms = up_to(&rng, 1) * INT64CONST(1700000000000);
	for (int step = 0; step < PG_GETARG_INT32(1) && broken == NULL; step++)
	{
		CHECK_FOR_INTERRUPTS();
		if (up_to(&rng, 99) == 0)
			share = pg_prng_double(&rng);
		m->now_ms += up_to(&rng, 9) == 0 ? up_to(&rng, 40000) : up_to(&rng, 300);
		if (up_to(&rng, 499) == 0)
			m->now_ms += up_to(&rng, 400000);
		broken = try_to_pass(m);
		while (broken == NULL && m->n_passed > 0 && up_to(&rng, 9) > (m->n_passed > 20 ? 2 : 5))
			broken = end_one(m, &rng, share);
		if (broken == NULL)
			broken = compare_look(m);
	}
	wf_circuits_destroy(m->circuits);
	PG_RETURN_TEXT_P(cstring_to_text(broken == NULL ? "held" : broken));
}

#endif

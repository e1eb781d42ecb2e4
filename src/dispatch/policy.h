/*
 * policy.h: when a request may be sent, and sent again: retries, rates, how many at once, circuits. Private to this room.
 * Everything is in this process's memory and takes the time as an argument; nothing here reads a table. Times are ms.
 */
#ifndef WF_DISPATCH_POLICY_H
#define WF_DISPATCH_POLICY_H

#include "postgres.h"
#include "base/json.h"

/* -- retries (retry.c): the formula is that of graph/retry.c -- */

typedef struct WfAttempt
{
	int			failures;		/* attempts that failed, this one included; those that a crash of ours cut short do not count */
	int64		elapsed_ms;		/* since the request was made */
	int			status;			/* 0: no answer */
	const char *code;			/* of the error: WF010 ... */
	bool		is_retryable;	/* by its kind */
	int64		retry_after_ms; /* what the answer, or an open circuit, asks for; -1: nothing */
	double		random;			/* 0 to 1 */
} WfAttempt;

/* In how many ms to try again; -1: no more. `retry` is the request object's member, or NULL: 3 attempts, exponential from 1 s. */
extern int64 wf_retry_delay_ms(const JsonbValue *retry, const WfAttempt *attempt);

/* The same of what never left this process for want of room, `times` times before: it counts as no failure, but not for ever. -1: it
 * counts as any other. `random` is from 0 to 1. */
extern int64 wf_retry_uncounted_delay_ms(const JsonbValue *retry, int times, int64 elapsed_ms, double random);

/* -- lanes: what shares a limit (lane.c) -- */

/*
 * Requests are sent from lanes: those of a tenant to a host, apart from those of a node with a rate or a concurrency of its own. A
 * lane knows how many of its requests may be sent now, and when to ask again. Lanes are found by name ("<tenant> <host>[ <node>]").
 */
typedef struct WfLane WfLane;

typedef struct WfLaneLimits
{
	int			most;			/* at once; 0: no limit of its own */
	int64		per_ms;			/* rate: so many in this time; 0: no rate */
	int			requests;
	int			burst;			/* 0: as many as requests */
} WfLaneLimits;

typedef struct WfLanes WfLanes;
/* In a child of CurrentMemoryContext. */
extern WfLanes *wf_lanes_create(void);
extern void wf_lanes_destroy(WfLanes *lanes);
/* Made when it is not there, without limits. It stays where it is until a sweep that finds nothing of it in flight. */
extern WfLane *wf_lane_find(WfLanes *lanes, const char *name);
/* May be called before each use: it costs nothing when nothing has changed. A new rate counts from now on, and begins with the
 * tokens that are there. */
extern void wf_lane_limit(WfLane *lane, const WfLaneLimits *limits, int64 now_ms);
/*
 * How many requests of the lane may be sent now, at most `wanted`, when max_in_flight may be at once in all. A lane never has more in
 * flight than half of what the other lanes leave (rounded up, so one at least while anything is free), however often it asks, so that
 * a host that hangs leaves room for the others. 0: *again_ms says in how many ms to ask again, -1: when one of its requests (or of
 * all) has ended. What is found is not set aside: begin it before another lane is asked.
 */
extern int	wf_lane_room(WfLane *lane, int wanted, int max_in_flight, int64 now_ms, int64 *again_ms);
/* How many bytes of requests the lane may have in flight besides those that it has, when most_bytes may be in all, shared out in the same
 * way; 0: none until something has ended. A tenant that has nothing in flight may always send one. */
extern int64 wf_lane_bytes_room(const WfLane *lane, int64 most_bytes);
/* One that has begun has so many bytes; the same, negative, before it ends. */
extern void wf_lane_add_bytes(WfLane *lane, int64 bytes);
extern void wf_lane_begin(WfLane *lane, int64 now_ms);	/* one is sent: takes a token of the rate */
extern void wf_lane_end(WfLane *lane);
/* What was begun has not been sent after all (nothing was claimed): ends it, and its token is there again. */
extern void wf_lane_give_back(WfLane *lane);
/* Has wf_lane_limit been called? */
extern bool wf_lane_knows_limits(const WfLane *lane);
extern int	wf_lane_in_flight(const WfLane *lane);
extern int	wf_lanes_in_flight(const WfLanes *lanes);
extern int	wf_lanes_count(const WfLanes *lanes);
/* Forgets lanes that have nothing in flight, and whose rate is full again; more of them where there are too many, see lane.c. */
extern void wf_lanes_sweep(WfLanes *lanes, int64 now_ms);

/* -- circuits (circuit.c) -- */

/*
 * By tenant and host. Closed: everything passes, and the share of failures in a window of 60 s is counted; with at least 10
 * attempts, half of which failed, a failure opens it. Open: nothing passes for a time (30 s, doubled each time that the probe
 * fails, up to 10 min). Half open: one probe; its success closes, its failure opens again. now_ms is the wall clock.
 */
typedef enum WfCircuitState
{
	WF_CIRCUIT_CLOSED,
	WF_CIRCUIT_OPEN,
	WF_CIRCUIT_HALF_OPEN,
} WfCircuitState;

typedef struct WfCircuitLook
{
	WfCircuitState state;
	int			attempts;		/* in the window */
	int			failures;
	int64		changed_ms;		/* when the state was last written down; 0: never, or forgotten */
	int64		retry_at_ms;	/* open: when a probe may pass */
	int			times_opened;	/* in a row */
} WfCircuitLook;

/* What an attempt gets when it asks. */
typedef struct WfCircuitPass
{
	uint64		ticket;			/* passed: to be handed back with how it ended, so that what began before the circuit opened says
								 * nothing of what it is now */
	bool		is_probe;		/* passed: everything else waits for this one */
	int64		retry_at_ms;	/* refused: when to ask again */
} WfCircuitPass;

/* An open circuit that nobody has asked for so long after its retry_at_ms is forgotten; who has written it down may do so too. */
#define WF_CIRCUIT_FORGET_MS INT64CONST(3600000)

typedef struct WfCircuits WfCircuits;
/* In a child of CurrentMemoryContext. */
extern WfCircuits *wf_circuits_create(void);
extern void wf_circuits_destroy(WfCircuits *circuits);
/* May an attempt be made? Whoever is let pass tells how it ended, or gives up. */
extern bool wf_circuit_pass(WfCircuits *circuits, const char *name, int64 now_ms, WfCircuitPass *out);
/* An attempt has ended. True when the circuit has opened (anew) or closed, to be written down. Half open is no state of its own to
 * write down: it is an open one whose retry_at_ms has come. */
extern bool wf_circuit_tell(WfCircuits *circuits, const char *name, uint64 ticket, bool failed, int64 now_ms);
/* An attempt has neither failed nor succeeded (cancelled, not sent): was it the probe, the next may be it. */
extern void wf_circuit_give_up(WfCircuits *circuits, const char *name, uint64 ticket);
extern void wf_circuit_look(const WfCircuits *circuits, const char *name, int64 now_ms, WfCircuitLook *out);
/* What was written down before this process began, or what somebody has reset (NULL, or closed: nothing counted). */
extern void wf_circuit_set(WfCircuits *circuits, const char *name, const WfCircuitLook *look);
extern const char *wf_circuit_state_name(WfCircuitState state);	/* closed, open, halfOpen */
extern int	wf_circuits_count(const WfCircuits *circuits);
extern void wf_circuits_sweep(WfCircuits *circuits, int64 now_ms);

#ifdef WF_TESTING
/* What tests make of the bounds on memory; see lane.c and circuit.c. */
extern int	wf_lanes_most;
extern int	wf_circuits_most;
#endif

#endif

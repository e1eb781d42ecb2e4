/*
 * flight.h: requests between their claim and the record of what came of them. Private to this room.
 */
#ifndef WF_DISPATCH_FLIGHT_H
#define WF_DISPATCH_FLIGHT_H

#include "postgres.h"
#include "dispatch/compose.h"
#include "dispatch/policy.h"
#include "lib/ilist.h"
#include "store/request.h"

typedef enum FlightPhase
{
	FLIGHT_CLAIMED,				/* by a transaction that has not committed */
	FLIGHT_READY,				/* its attempt is recorded */
	FLIGHT_TOKEN,				/* waits for an access token */
	FLIGHT_SENT,
	FLIGHT_ENDED,				/* `end` is to be recorded */
	FLIGHT_LOCKED,				/* somebody has its row: `end` is to be recorded later */
} FlightPhase;

typedef struct Batch Batch;

#define MOST_QUOTAS 8

/* What limits a lane from above: its host's, and its tenant's; and quotas of requests a minute, of the tenant and those above it. */
typedef struct Limiters
{
	int			n;
	WfLane	   *lanes[2];
	int			n_quotas;
	struct
	{
		pg_uuid_t	tenant_id;
		int64		most;
	}			quotas[MOST_QUOTAS];
} Limiters;

typedef struct Flight
{
	dlist_node	node;			/* in the list of its phase */
	FlightPhase phase;
	MemoryContext memory;		/* of all that is below */
	int64		id;				/* in src/net/ */
	WfRequestRow row;			/* row.request without what only sending needs, once it is sent */
	JsonbValue	request;		/* its root */
	WfLane	   *lane;			/* a place in it is taken, and in those above it */
	Limiters	limiters;
	char	   *circuit;		/* its name; NULL: the request has none */
	bool		passed;			/* the circuit waits to be told, with the ticket */
	uint64		ticket;
	bool		was_begun;		/* the attempt is recorded, or will be by this transaction */
	Batch	   *batch;			/* with which it is recorded; or NULL */
	WfSecretValue *secrets;		/* to be sent, and then masked in what comes */
	uint64		secrets_age;	/* see WfCompose */
	int			n_secrets;
	char	   *sent_token;		/* of bearer, that was made or asked for, to be masked, too; or NULL */
	bool		is_stripped;	/* of what only sending needs */
	char	   *token_key;		/* auth of type oauth2; or NULL */
	Size		bytes;			/* of the request, counted in its lane */
	Size		wire_bytes;		/* of what net has of it, counted there, too, and in wf_flights_wire_bytes */
	MemoryContext end_memory;	/* of what `end` has; NULL: it has not ended yet */
	Size		answer_bytes;	/* of `end`, counted in wf_flights_answer_bytes */
	bool		was_locked;		/* answer_bytes are counted apart: somebody may have its row for long */
	TimestampTz begun_at;
	WfRequestEnd end;			/* ENDED */
} Flight;

/* -- flights.c: all of them -- */

extern void wf_flights_init(MemoryContext parent);
/* A flight of a row, which is copied; CLAIMED. */
extern Flight *wf_flight_make(const WfRequestRow *row);
extern void wf_flight_set_phase(Flight *flight, FlightPhase phase);
/* Frees it, and its place in its lane; a circuit that was not told is. */
extern void wf_flight_free(Flight *flight);
extern bool wf_flight_is_there(const pg_uuid_t *request_id, void *unused);
extern Flight *wf_flight_find(int64 id);
extern dlist_head *wf_flights_of(FlightPhase phase);
extern int	wf_flights_count(FlightPhase phase);
extern int	wf_flights_total(void);
/* Net's copy of the request takes so many bytes; the row may have been stripped. 0: net has none any more. */
extern void wf_flight_note_wire(Flight *flight, Size bytes);
extern Size wf_flights_wire_bytes(void);
/* What came of it takes so many bytes until it is recorded. */
extern void wf_flight_note_answer(Flight *flight, Size bytes);
extern Size wf_flights_answer_bytes(void);
/* Of those whose rows are, or were, locked. The others are in wf_flights_answer_bytes. */
extern void wf_flight_note_locked(Flight *flight);
extern Size wf_flights_locked_bytes(void);

/* -- send.c -- */

/* Composes and submits what is READY, and gives up what cannot be. Some stays while net holds much. */
extern void wf_send_ready(void);
/* Something is READY, and can be sent. */
extern bool wf_send_is_wanted(void);
/* Takes results of src/net/, at most so many bytes of them. */
extern void wf_send_receive(void);
/* None is taken until some are recorded. */
extern bool wf_send_is_full(void);
/* Drops a flight that nobody wants any more. */
extern void wf_send_drop(Flight *flight);

/* -- batch.c: the record that attempts begin -- */

/* Records that attempts of all of them begin. In a transaction. */
extern void wf_batch_begin(List *flights, TimestampTz now);
extern void wf_batch_leave(Flight *flight);
/* What came of the flight is recorded by the transaction at hand. */
extern void wf_batch_note_recorded(const Flight *flight);
/* Deletes records of attempts that have all ended. In a transaction, after what has ended is recorded. */
extern void wf_batch_write(void);
/* After flights were settled. */
extern void wf_batch_settle(bool committed);

/* -- end.c: what came of an attempt -- */

/* It has ended with this answer; `result` (or NULL: nothing was sent) has the timings. Decides whether it is tried again. */
extern void wf_end_flight(Flight *flight, const WfAnswer *answer, const WfNetResult *result);
/* Timings of an attempt (NULL: unknown); its time is added to that of all. */
/* The error as it is kept for people to read: without the address and the answer, which may be personal, if the request says so. */
extern Jsonb *wf_end_logged_error(const JsonbValue *request, const WfError *error);
extern void wf_end_fill_times(WfRequestEnd *end, const WfNetResult *result);
/* By the request's policy: see wf_retry_delay_ms. */
extern int64 wf_end_retry_delay_ms(const JsonbValue *request, const WfAttempt *attempt);
/* Gives up what came of it: it is to be sent again, as after a crash, if its row is still there when it is no longer locked. */
extern void wf_end_give_up(Flight *flight);
/* It ends without having been sent. */
extern void wf_end_unsent(Flight *flight, const WfError *error, bool is_retryable, int64 retry_after_ms);

/* -- claim.c -- */

extern void wf_claim_init(MemoryContext parent);
extern void wf_claim_told(int calls);
extern bool wf_claim_is_wanted(void);
/* In a transaction. */
extern void wf_claim_work(MemoryContext memory);
/* NULL: the transaction has committed. True: what it failed at is known, and set aside. */
extern bool wf_claim_settle(const ErrorData *error);
extern TimestampTz wf_claim_next(void);	/* when something is to be claimed; DT_NOEND: when told */
extern void wf_claim_some_ended(void);
/* A request of this lane, which was in flight, is in the outbox again and due then. */
extern void wf_claim_again(const char *lane, TimestampTz at);
extern bool wf_claim_outbox_is_empty(void);

/* -- credential.c -- */

/* The values of the secrets that a request names, in memory of wf_secret_alloc; NULL, or why not. When it names a credential,
 * *made is the request as it is to be sent, with the credential's fields in their places, and markers for those that are
 * secret, whose values are among the secrets; else NULL. In a transaction. */
extern WfError *wf_credential_open(const JsonbValue *request, const pg_uuid_t *tenant_id, Jsonb **made, WfSecretValue **secrets,
								   int *n);

/* -- aside.c: requests that cannot be claimed -- */

extern void wf_aside_init(MemoryContext parent);
/* What fails from now on is the fault of this request; NULL: of none. */
extern void wf_aside_look(const pg_uuid_t *request_id);
/* Sets aside the request that is looked at; false: none is. */
extern bool wf_aside_blame(const ErrorData *error);
extern bool wf_aside_has(const pg_uuid_t *request_id);
extern TimestampTz wf_aside_next(void); /* when one is to be tried again; DT_NOEND: there are none */
extern bool wf_aside_let_go(TimestampTz now);	/* are there some whose time has come? They are looked at again. */

/* -- cut_short.c: attempts that crashes have cut short -- */

extern void wf_cut_short_init(MemoryContext parent);
extern void wf_cut_short_read(void);	/* when the process begins; in a transaction */
/* How many there were of the request as it is now. */
extern int	wf_cut_short_times(const WfRequestRow *row);
extern TimestampTz wf_cut_short_next(void);	/* when it is looked again which have gone; DT_NOEND: there are none */
extern void wf_cut_short_sweep(void);	/* in a transaction */

/* -- bodies.c -- */

/* {request, response} of an attempt, the request without secrets, the answer as it was masked, when they are to be kept, and can be; else NULL. Throws cancels only. */
extern Jsonb *wf_bodies_of(const JsonbValue *request, const WfAnswer *answer);

/* -- refresh.c: tokens that were replaced -- */

/* Where that of a request is to be kept. */
typedef struct RefreshPlace
{
	pg_uuid_t	tenant_id;
	const char *secret;			/* NULL: nowhere */
	int			version;		/* of it, that was sent */
	const char *node;
	const char *host;
} RefreshPlace;

/* In CurrentMemoryContext. */
extern void wf_refresh_place(const WfCompose *in, const WfRequestRow *row, RefreshPlace *out);
/* For the next transaction. */
extern void wf_refresh_keep(const RefreshPlace *place, const char *value);
/* In a transaction, at once. */
extern void wf_refresh_write_now(const RefreshPlace *place, const char *value);
extern bool wf_refresh_is_wanted(void);
extern bool wf_refresh_write(void); /* in a transaction; false: somebody else is setting one of the secrets */
extern void wf_refresh_settle(bool committed);

/* -- limits.c: limits of a tenant's for a host, or for all it sends -- */

extern void wf_limits_init(MemoryContext parent);
extern void wf_limits_read(void);	/* in a transaction */
extern void wf_limits_of(const char *lane, int64 now_ms, Limiters *out);
/* As wf_lane_room. */
extern int	wf_limits_room(const Limiters *of, int wanted, int64 now_ms, int64 *again_ms);
extern void wf_limits_begin(Flight *flight, const Limiters *of, int64 now_ms);
/* As wf_lane_end, or, of what was not sent after all, wf_lane_give_back. */
extern void wf_limits_end(Flight *flight, bool was_begun);
extern void wf_limits_sweep(int64 now_ms);

/* -- policies.c: where requests may go -- */

/* For a tenant; NULL, with *problem, when a setting is malformed. Lives until settings change. */
extern const WfNetPolicy *wf_policies_of(const pg_uuid_t *tenant_id, char **problem);
/* Takes over what the store says of tenants. In a transaction. */
extern void wf_policies_read(void);

/* Shared by these files; made by wf_dispatch_begin. */
extern WfNet *wf_dispatch_net;
extern WfLanes *wf_dispatch_lanes;
extern WfCircuits *wf_dispatch_circuits;

extern int64 wf_dispatch_unix_ms(TimestampTz time);
/* The circuit's state has changed: it is to be written down. */
extern void wf_dispatch_note_circuit(const Flight *flight);
/* Takes over what the store says of open circuits. In a transaction. */
extern void wf_dispatch_read_circuits(void);

#endif

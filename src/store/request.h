/*
 * request.h: the outbox (wf.request) and what came of it (wf.request_log), and circuits. Callers hold an SPI connection; results
 * are in CurrentMemoryContext.
 *
 * Whoever deletes or changes a row of the outbox holds the request: a heavyweight lock on a hash of its id (direct.c), until the
 * transaction ends. Runs, which withdraw requests, wait for it; the dispatcher, whose transactions are short, never does.
 */
#ifndef WF_STORE_REQUEST_H
#define WF_STORE_REQUEST_H

#include "postgres.h"
#include "base/error.h"
#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef struct WfRequestRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	run_id;
	int			step;
	pg_uuid_t	request_id;		/* version 7; the Idempotency-Key of all attempts */
	const char *lane;
	TimestampTz due_at;
	Oid			role;			/* of the run, for the message with the answer */
	int			priority;
	pg_uuid_t	workflow_id;
	const char *node;
	const char *method;
	const char *host;
	const char *path;			/* or NULL */
	bool		forget;			/* nobody waits for the answer */
	TimestampTz created_at;
	int			attempts;
	int			failures;
	double		duration_ms;
	const char *trace;			/* the run's correlation, or NULL */
	Jsonb	   *request;
	ItemPointerData tid;		/* of a row that was read */
} WfRequestRow;

/* -- runs -- */

/* Adds a request; the dispatcher is told when the transaction commits. */
extern void wf_store_insert_request(const WfRequestRow *row);
/* Withdraws what a step (-1: any step of the run) awaits; how many. The dispatcher drops what it has begun when that commits. Throws what
 * waiting for a lock may throw, though nobody keeps it for long. */
extern int	wf_store_drop_requests(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step);

/* -- performed at once -- */

/*
 * Sends a request within the transaction and waits for the answer; a pointer that src/dispatch/ fills, which is above those who
 * call it. *output: what the run gets; or NULL, and the error is returned. Throws what ends the wait: cancels, time-outs.
 */
extern WfError *(*wf_request_perform) (const WfRequestRow *row, Jsonb **output);

/* -- the dispatcher; with the rights of wf_engine, for all tenants -- */

extern bool wf_store_has_requests(void);

/* Looking for what is due. Between begin and end nothing else of the store may be called that ends a snapshot. */
typedef struct WfOutbox WfOutbox;
extern WfOutbox *wf_store_outbox_begin(void);
extern void wf_store_outbox_end(WfOutbox *outbox);
/* The first lane behind this one ("": of all), with what is due in it at any time; NULL: there is none. */
extern char *wf_store_outbox_lane(WfOutbox *outbox, const char *after);

typedef bool (*WfIsInFlight) (const pg_uuid_t *request_id, void *arg);
/*
 * Requests of a lane that are due (WfRequestRow *), the first due first, at most `most`, and no more when they have most_bytes; held.
 * is_in_flight is asked of each before it is read, and passes over it. *next is when to look again: when another one will be due, or `now`
 * when some were left or are locked; 0: never. *floor: those that were due earlier are in flight, and not looked at; set for the next time.
 * 0 looks at all.
 */
extern List *wf_store_outbox_take(WfOutbox *outbox, const char *lane, TimestampTz now, int most, Size most_bytes,
								  WfIsInFlight is_in_flight, void *arg, TimestampTz *next, TimestampTz *floor);
/* Records that attempts of requests of a tenant begin, as one batch; in the transaction that has taken them. */
extern void wf_store_begin_attempts(const pg_uuid_t *tenant_id, const pg_uuid_t *batch_id, TimestampTz now,
									const pg_uuid_t *request_ids, int n);
/* All of a batch have ended. */
extern void wf_store_end_batch(const pg_uuid_t *tenant_id, const pg_uuid_t *batch_id);

/* Attempts of a request that were cut short. */
typedef struct WfCutShortRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	request_id;
	TimestampTz due_at;			/* the request's, then and now */
	int			n;
} WfCutShortRow;
/* Marks batches that an earlier dispatcher has left behind as cut short, and lists what there is of such (WfCutShortRow *). */
extern List *wf_store_cut_short(void);
/* Forgets batches that were cut short and of which no request is left as it was; are there others? */
extern bool wf_store_forget_cut_short(void);

typedef struct WfRequestEnd
{
	const WfRequestRow *row;
	const char *state;			/* completed, failed; NULL: it is to be tried again */
	int			status;			/* of HTTP; 0: none */
	int			attempts;
	TimestampTz ended_at;
	double		dns_ms;			/* of the last attempt; negative: unknown */
	double		connect_ms;
	double		tls_ms;
	double		first_byte_ms;
	double		total_ms;		/* of all attempts */
	Jsonb	   *error;			/* or NULL */
	Jsonb	   *bodies;			/* {request, response} to be kept, or NULL */
	Jsonb	   *reply;			/* the payload of the message to the run; unless it is to be tried again or forgotten */
	TimestampTz due_at;			/* to be tried again */
	int			failures;
	bool		is_settled;		/* out: it is written, or there is no such request any more */
} WfRequestEnd;
/* Writes what came of attempts, and tells the runs. What is not settled afterwards is locked by somebody: try again later. */
extern void wf_store_end_attempts(WfRequestEnd *ends, int n);
/* Adds one that was in no outbox to history. */
extern void wf_store_log_request(const WfRequestEnd *end);
/* Which of these are in the outbox no more (indexes). */
extern List *wf_store_gone_requests(const WfRequestRow *const *rows, int n);

/* -- circuits -- */

typedef struct WfCircuitRow
{
	pg_uuid_t	tenant_id;
	const char *host;
	const char *state;			/* closed, open, halfOpen */
	int			attempts;
	int			failures;
	TimestampTz changed_at;
	TimestampTz retry_at;		/* 0: none */
	int			times_opened;
} WfCircuitRow;

/* False: somebody is resetting it, and has not committed. */
extern bool wf_store_put_circuit(const WfCircuitRow *row);
/* Those that are open, and were asked for since (WfCircuitRow *). */
extern List *wf_store_open_circuits(TimestampTz since);
/* Forgets those that have not changed since. */
extern void wf_store_prune_circuits(TimestampTz since);
/* Forgets what is known of a host; false when nothing is. The dispatcher is told when the transaction commits. */
extern bool wf_store_reset_circuit(const pg_uuid_t *tenant_id, const char *host);

/* -- where a tenant's requests may go -- */

typedef struct WfHttpPolicyRow
{
	pg_uuid_t	tenant_id;
	const char *allow;			/* or NULL */
	const char *deny;			/* or NULL */
} WfHttpPolicyRow;

/* The dispatcher is told when the transaction commits. */
extern void wf_store_set_http_policy(const pg_uuid_t *tenant_id, const char *allow, const char *deny);
/* Of all tenants that have lists (WfHttpPolicyRow *). */
extern List *wf_store_http_policies(void);

/* -- limits of a tenant's for a host, or ("*") for all it sends -- */

typedef struct WfHostLimitRow
{
	pg_uuid_t	tenant_id;
	const char *host;
	int			requests;		/* 0: no rate */
	int64		per_ms;
	int			burst;			/* 0: as many as requests */
	int			concurrency;	/* 0: no limit */
} WfHostLimitRow;

/* Without a rate and a concurrency the limit is dropped. The dispatcher is told when the transaction commits. */
extern void wf_store_put_host_limit(const WfHostLimitRow *row);
/* Of all tenants (WfHostLimitRow *). */
extern List *wf_store_host_limits(void);

#endif

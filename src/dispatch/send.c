/*
 * send.c: flights to src/net/ and back.
 *
 * Secrets are there from the claim until the answer, in which they are masked. A request that needs an access token waits for it;
 * the request for the token is sent once for all that wait, under a negative id, and is in no table.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/settings.h"
#include "dispatch/flight.h"
#include "utils/memutils.h"

#define MOST_RECEIVED_BYTES (64 * 1024 * 1024)	/* in one go, until it is recorded */
#define MOST_ANSWER_BYTES (256 * 1024 * 1024)	/* that are not recorded, while no transaction commits */
#define MOST_WIRE_BYTES (256 * 1024 * 1024)	/* of requests that net has; beyond it none is composed */
#define BIG_BYTES 8192			/* of a request: what only sending needs is let go then */

/* A request for a token that is under way. */
typedef struct TokenAsk
{
	dlist_node	node;
	MemoryContext memory;		/* of it */
	int64		id;				/* negative */
	char	   *key;
	uint64		age;			/* of the secrets that were sent */
	RefreshPlace place;			/* who asked may be gone when the answer comes */
} TokenAsk;

static dlist_head asks = DLIST_STATIC_INIT(asks);
static int64 last_ask = 0;

static void
fill(const Flight *flight, WfCompose *in)
{
	memset(in, 0, sizeof(*in));
	in->request = &flight->request;
	in->tenant_id = flight->row.tenant_id;
	in->request_id = flight->row.request_id;
	in->trace = flight->row.trace;
	in->attempt = flight->row.attempts;
	in->now_unix_ms = wf_dispatch_unix_ms(wf_clock_now());
	in->secrets = flight->secrets;
	in->n_secrets = flight->n_secrets;
	in->secrets_age = flight->secrets_age;
}

/* What answers need of a request stays; a large body and a mail do not. */
static void
strip(Flight *flight)
{
	WfJsonWriter *w;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;
	MemoryContext old;
	Jsonb	   *old_request = flight->row.request;

	if (VARSIZE(old_request) < BIG_BYTES)
		return;
	old = MemoryContextSwitchTo(flight->memory);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_iter_begin(&it, &flight->request);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);

		if (strcmp(name, "body") != 0 && strcmp(name, "mail") != 0)
			wf_json_put_field(w, name, &value);
		pfree(name);
	}
	wf_json_end_object(w);
	flight->row.request = wf_json_finish(w);
	wf_json_root(flight->row.request, &flight->request);
	pfree(old_request);
	MemoryContextSwitchTo(old);
}

/* The policy of the tenant is known to be in order. */
static void
submit(Flight *flight, int64 id, WfNetRequest *request)
{
	char	   *unused;

	request->id = id;
	request->policy = wf_policies_of(&flight->row.tenant_id, &unused);
	wf_net_submit(wf_dispatch_net, request);
	wf_compose_wipe(request);
}

/* Does the flight wait for this? What was asked for with older secrets is nothing for it. */
static bool
waits_for(const Flight *flight, const TokenAsk *ask)
{
	return ask->age >= flight->secrets_age && strcmp(ask->key, flight->token_key) == 0;
}

static bool
is_asked(const Flight *flight)
{
	dlist_iter	it;

	dlist_foreach(it, &asks)
		if (waits_for(flight, dlist_container(TokenAsk, node, it.cur)))
			return true;
	return false;
}

/* Asks for the token that the flight needs, unless that is done already. */
static WfError *
ask_for_token(Flight *flight, const WfCompose *in)
{
	WfNetRequest request;
	WfError    *problem;
	MemoryContext memory;
	MemoryContext old;
	TokenAsk   *ask;

	if (is_asked(flight))
		return NULL;
	problem = wf_token_compose(in, &request);
	if (problem != NULL)
		return problem;
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow request for a token", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	ask = palloc(sizeof(TokenAsk));
	ask->memory = memory;
	ask->id = --last_ask;
	ask->key = pstrdup(flight->token_key);
	ask->age = flight->secrets_age;
	wf_refresh_place(in, &flight->row, &ask->place);
	MemoryContextSwitchTo(old);
	submit(flight, ask->id, &request);
	/* now that it is on its way: others will wait for it */
	MemoryContextSetParent(memory, TopMemoryContext);
	dlist_push_tail(&asks, &ask->node);
	return NULL;
}

/* The token that says who is asking, when it is none of the secrets. */
static char *
keep_token(const Flight *flight, const WfNetRequest *request)
{
	MemoryContext old;
	char	   *copy;

	if (request->auth.type != WF_NET_AUTH_BEARER || request->auth.token == NULL ||
		(flight->n_secrets == 0 && flight->token_key == NULL))
		return NULL;
	old = MemoryContextSwitchTo(flight->memory);
	copy = wf_secret_alloc(strlen(request->auth.token) + 1);
	memcpy(copy, request->auth.token, strlen(request->auth.token) + 1);
	MemoryContextSwitchTo(old);
	return copy;
}

/* One flight; NULL, or why it cannot be sent. */
static WfError *
send_one(Flight *flight)
{
	WfCompose	in;
	WfNetRequest request;
	WfError    *problem = NULL;
	char	   *key = NULL;
	Size		wire_bytes;

	fill(flight, &in);
	in.access_token = wf_token_find(&in, &key, &problem);
	if (problem != NULL)
		return problem;
	if (key != NULL && flight->token_key == NULL)
		flight->token_key = MemoryContextStrdup(flight->memory, key);
	if (key != NULL && in.access_token == NULL)
	{
		problem = ask_for_token(flight, &in);
		if (problem == NULL)
			wf_flight_set_phase(flight, FLIGHT_TOKEN);
		return problem;
	}
	problem = wf_compose(&in, &request);
	if (problem != NULL)
		return problem;
	wire_bytes = wf_compose_bytes(&request);
	flight->sent_token = keep_token(flight, &request);
	submit(flight, flight->id, &request);
	if (!wf_setting_http_log_bodies)
	{
		flight->is_stripped = true;
		strip(flight);
	}
	wf_flight_note_wire(flight, wire_bytes);
	wf_flight_set_phase(flight, FLIGHT_SENT);
	return NULL;
}

/*
 * Does the work for one flight. An error ends that flight and nothing else: it must not take the process down, which would send
 * the request again and come to the same. No transaction is open, so there is nothing to roll back.
 */
static void
guarded(Flight *flight, void (*work) (Flight *flight, WfNetResult *result), WfNetResult *result)
{
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		work(flight, result);
	}
	PG_CATCH();
	{
		WfError    *problem;
		ErrorData  *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		problem = wf_error_from_data(error);
		ereport(LOG, (errcode(error->sqlerrcode), errmsg("workflow dispatcher: request of node \"%s\": %s", flight->row.node, error->message)));
		/* submitted a moment ago, it has not been sent yet */
		(void) wf_net_cancel(wf_dispatch_net, flight->id);
		wf_end_unsent(flight, problem, false, -1);
	}
	PG_END_TRY();
}

static void
send_or_end(Flight *flight, WfNetResult *unused)
{
	char	   *closed;
	WfError    *problem;

	if (wf_policies_of(&flight->row.tenant_id, &closed) == NULL)
		problem = wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "request cannot be sent: %s", closed);
	else
		problem = send_one(flight);
	if (problem != NULL)
		wf_end_unsent(flight, problem, false, -1);
}

bool
wf_send_is_wanted(void)
{
	return wf_flights_count(FLIGHT_READY) > 0 && wf_flights_wire_bytes() < MOST_WIRE_BYTES;
}

void
wf_send_ready(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow request", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	dlist_mutable_iter it;

	dlist_foreach_modify(it, wf_flights_of(FLIGHT_READY))
	{
		if (!wf_send_is_wanted())
			break;
		guarded(dlist_container(Flight, node, it.cur), send_or_end, NULL);
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

/* The answer to a request for a token: those that wait for it go on, or end. */
static void
take_token(TokenAsk *ask, const WfNetResult *result)
{
	bool		is_retryable = false;
	char	   *refresh = NULL;
	WfError    *problem = wf_token_take(ask->key, ask->age, result, wf_dispatch_unix_ms(wf_clock_now()), &is_retryable, &refresh);
	dlist_mutable_iter it;

	if (problem == NULL && refresh != NULL)
		wf_refresh_keep(&ask->place, refresh);
	dlist_foreach_modify(it, wf_flights_of(FLIGHT_TOKEN))
	{
		Flight	   *flight = dlist_container(Flight, node, it.cur);

		if (!waits_for(flight, ask))
			continue;
		if (problem == NULL)
		{
			wf_flight_set_phase(flight, FLIGHT_READY);
			continue;
		}
		wf_mask_error(wf_mask_make(flight->secrets, flight->n_secrets, NULL), problem);
		wf_end_unsent(flight, problem, is_retryable, wf_net_result_retry_after_ms(result, wf_dispatch_unix_ms(wf_clock_now())));
	}
	dlist_delete(&ask->node);
	MemoryContextDelete(ask->memory);
}

static TokenAsk *
find_ask(int64 id)
{
	dlist_iter	it;

	dlist_foreach(it, &asks)
	{
		TokenAsk   *ask = dlist_container(TokenAsk, node, it.cur);

		if (ask->id == id)
			return ask;
	}
	return NULL;
}

static void
take(Flight *flight, WfNetResult *result)
{
	WfMask	   *mask = wf_mask_make(flight->secrets, flight->n_secrets, flight->sent_token);
	WfAnswer	answer;

	wf_answer_read(&flight->request, result, flight->row.attempts, flight->row.duration_ms + result->total_us / 1000.0, mask, &answer);
	/* the token was given back or ran out early: one more attempt, with another */
	if (flight->token_key != NULL && answer.status == 401 && wf_token_forget(flight->token_key, wf_dispatch_unix_ms(wf_clock_now())))
		answer.is_retryable = true;
	wf_end_flight(flight, &answer, result);
}

bool
wf_send_is_full(void)
{
	return wf_flights_answer_bytes() >= MOST_ANSWER_BYTES;
}

void
wf_send_receive(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow answer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Size		bytes = 0;
	WfNetResult *result;

	while (bytes < MOST_RECEIVED_BYTES && !wf_send_is_full() && (result = wf_net_take(wf_dispatch_net)) != NULL)
	{
		Flight	   *flight = wf_flight_find(result->id);
		TokenAsk   *ask = result->id < 0 ? find_ask(result->id) : NULL;

		bytes += result->body_bytes;
		if (flight != NULL)
			guarded(flight, take, result);
		else if (ask != NULL)
			take_token(ask, result);
		wf_net_result_free(result);
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

void
wf_send_drop(Flight *flight)
{
	if (flight->phase == FLIGHT_SENT)
		(void) wf_net_cancel(wf_dispatch_net, flight->id);
	wf_flight_free(flight);
}

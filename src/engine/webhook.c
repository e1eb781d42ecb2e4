/*
 * webhook.c: a request comes in (wf_webhook).
 *
 * 1. Who calls is a gateway, which acts for nobody, or may execute workflows of the tenant that the path begins with.
 * 2. What can be said without looking at any webhook is said first: too large, headers that are none. So it is the same
 *    for all paths.
 * 3. The webhook is looked for, and its auth asked. A tenant or path that there is not, another method, a webhook that is
 *    disabled, a sender who is refused: all get one answer. Where there was no webhook to ask, another one's auth is
 *    asked in its place, so that the time that it takes tells little. Why a sender was refused is noted for the owner.
 * 4. Only then the body is read and validated, and the run started, as the version's owner. The id of the delivery is its
 *    idempotency key: one that comes again starts nothing.
 *
 * Steps 3 and 4 are in a subtransaction: whatever a request makes go wrong is an answer. Cancel, shutdown, lack of memory and
 * what the caller has to try again (class 40) are thrown on.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fired.h"
#include "base/subtransaction.h"
#include "engine/start.h"
#include "engine/webhook.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/quota.h"
#include "utils/memutils.h"

#define RETRY_AFTER_S 60		/* for a quota of which nobody knows when there is room again */

typedef enum Stage
{
	STAGE_ASKING,				/* nobody knows who the sender is */
	STAGE_READING,				/* the body is read */
	STAGE_FIRING,				/* what goes wrong is noted by who fires */
} Stage;

typedef struct Delivery
{
	const WfWebhook *request;
	MemoryContext memory;		/* of all that is made for it */
	Stage		stage;
	WfHookPath *path;			/* NULL: it is none */
	bool		is_gateway;		/* who acts for nobody; else: */
	WfTenant	caller;			/* what who calls may do in the tenant */
	bool		has_tenant;
	pg_uuid_t	tenant_id;
	const char *method;			/* NULL: it is none */
	WfHookHeaders *headers;
	WebhookRoutes *routes;		/* of the tenant; NULL: not looked for yet, or there is no tenant */
	const WebhookRoute *route;	/* NULL: none is meant */
	Jsonb	   *params;
	WfHookVerdict verdict;
	int			retry_after_s;	/* 0: not said */
	const char *secret_header;	/* that has what the sender proved itself with, in small letters; NULL: none has */
	Jsonb	   *answer;
} Delivery;

/* -- answers -- */

static void
answer(Delivery *d, int status, const Jsonb *body)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "status", status);
	wf_json_key(w, "headers", strlen("headers"));
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "content-type", "application/json");
	if (d->retry_after_s > 0)
		wf_json_put_field_cstring(w, "retry-after", psprintf("%d", d->retry_after_s));
	wf_json_end_object(w);
	wf_json_key(w, "body", strlen("body"));
	if (body == NULL)
		wf_json_put_null(w);
	else
		wf_json_put_jsonb(w, body);
	wf_json_end_object(w);
	d->answer = wf_json_finish(w);
}

/* {"error", and "run_id" or "errors" where there are such} */
static void
answer_error(Delivery *d, int status, const char *message, const pg_uuid_t *run_id, const Jsonb *errors)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "error", message);
	if (run_id != NULL)
		wf_json_put_field_cstring(w, "run_id", wf_engine_uuid_text(run_id));
	wf_json_put_member(w, "errors", errors);
	wf_json_end_object(w);
	answer(d, status, wf_json_finish(w));
}

/* The one answer for whoever is not let in. */
static void
answer_nothing_here(Delivery *d)
{
	answer_error(d, 404, "not found", NULL, NULL);
}

/* {"run_id"}, and `mark`: true */
static void
answer_run(Delivery *d, int status, const pg_uuid_t *run_id, const char *mark)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "run_id", run_id == NULL ? NULL : wf_engine_uuid_text(run_id));
	if (mark != NULL)
		wf_json_put_field_bool(w, mark, true);
	wf_json_end_object(w);
	answer(d, status, wf_json_finish(w));
}

/* For wf_triggers. */
static void
note(const Delivery *d, int sqlstate, const char *reason)
{
	const WfTriggerRow *row = d->route->row;

	wf_fired_failed(&row->tenant_id, &row->trigger_id, unpack_sql_state(sqlstate), reason);
}

/* -- who may call -- */

/* A tenant that is not active is as one that does not exist. */
static bool
is_open(const pg_uuid_t *tenant_id)
{
	return wf_store_tenant_status(tenant_id) == WF_TENANT_ACTIVE;
}

/* Finds the tenant of the path; throws 42501 for who may not ask. */
static void
enter(Delivery *d)
{
	const char *name = d->path != NULL && d->path->n > 0 ? d->path->segments[0].text : NULL;
	WfTenant   *tenant = &d->caller;

	if (wf_store_is_gateway())
	{
		d->is_gateway = true;
		d->has_tenant = name != NULL && wf_store_find_tenant(name, &d->tenant_id) && is_open(&d->tenant_id);
		return;
	}
	if (name == NULL || !wf_store_tenant_named(name, tenant) ||
		((tenant->permissions | tenant->narrowed) & WF_WORKFLOW_EXECUTE) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for wf_webhook()"),
						errhint("Members of the role \"wf_gateway\" may call it, and those of the tenant in the path who have \"workflow:execute\".")));
	d->tenant_id = tenant->tenant_id;
	d->has_tenant = is_open(&d->tenant_id);
}

/* -- who sends -- */

/* False: the request is not let in. */
static bool
ask(Delivery *d)
{
	WfHookCheck check = {
		.headers = d->headers, .body = d->request->body, .body_bytes = d->request->body_bytes, .now = wf_clock_now()
	};

	SPI_connect();
	MemoryContextSwitchTo(d->memory);
	if (d->has_tenant)
		d->routes = wf_webhook_routes(&d->tenant_id);
	if (d->routes != NULL && d->method != NULL)
		d->route = wf_webhook_match(d->routes, d->method, d->path, &d->params);
	/* to who may not execute its workflow it is not there */
	if (d->route != NULL && !d->is_gateway &&
		!wf_store_allows(&d->caller, WF_WORKFLOW_EXECUTE, &d->route->row->workflow_id))
		d->route = NULL;
	if (d->route != NULL)
		wf_webhook_check(d->route, &check, &d->verdict, &d->secret_header);
	else
		wf_webhook_pretend(wf_webhook_decoy(d->routes, d->request->path), &check);
	SPI_finish();
	MemoryContextSwitchTo(d->memory);
	if (d->route != NULL && !d->verdict.accepted)
		note(d, d->verdict.unusable ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_INSUFFICIENT_PRIVILEGE, d->verdict.reason);
	return d->route != NULL && d->verdict.accepted;
}

/* -- what the run gets -- */

/* The path behind the tenant, as it came. */
static const char *
path_within(const char *path)
{
	const char *slash = strchr(path + 1, '/');

	return slash == NULL ? "/" : slash;
}

/* {method, path, params, query, headers, body}, and a token's claims. What the sender proved itself with is left out. */
static Jsonb *
make_input(const Delivery *d, const Jsonb *body)
{
	const char *const without[] = {d->secret_header, NULL};
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	headers;

	wf_json_root(wf_hook_headers_json(d->headers), &headers);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "method", d->method);
	wf_json_put_field_cstring(w, "path", path_within(d->request->path));
	wf_json_put_member(w, "params", d->params);
	wf_json_put_member(w, "query", d->request->query != NULL ? d->request->query : wf_json_empty_object());
	wf_json_key(w, "headers", strlen("headers"));
	wf_json_begin_object(w);
	wf_json_put_members(w, &headers, without);
	wf_json_end_object(w);
	wf_json_put_member(w, "body", body);
	wf_json_put_member(w, "claims", d->verdict.claims);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* The body as a value; NULL: it is answered why not. */
static Jsonb *
read_body(Delivery *d)
{
	const char *problem;
	Jsonb	   *body = wf_hook_body(d->headers, d->request->body, d->request->body_bytes, &problem);
	Jsonb	   *errors;

	if (body == NULL)
	{
		note(d, ERRCODE_INVALID_PARAMETER_VALUE, problem);
		answer_error(d, 400, problem, NULL, NULL);
		return NULL;
	}
	errors = wf_block_incoming_problems(&d->route->incoming, body);
	if (errors == NULL)
		return body;
	note(d, ERRCODE_INVALID_PARAMETER_VALUE, "a body does not match the schema");
	answer_error(d, 422, "the body does not match the schema", NULL, errors);
	return NULL;
}

/* -- the run -- */

static void
start_in_background(Delivery *d, const WfFire *how, Jsonb *input)
{
	WfStarted	started;

	wf_engine_fire(d->route->row, how, &input, 1, &started);
	if (started.is_skipped)
		answer_run(d, 200, NULL, "skipped");
	else if (started.is_earlier)
		answer_run(d, 200, &started.run_id, "duplicate");
	else
		answer_run(d, 202, &started.run_id, NULL);
}

static bool
has_ended(const char *status)
{
	static const char *const ends[] = {"completed", "failed", "cancelled", "compensated"};

	for (int i = 0; i < lengthof(ends); i++)
		if (strcmp(status, ends[i]) == 0)
			return true;
	return false;
}

static void
execute(Delivery *d, const WfFire *how, Jsonb *input)
{
	WfRunResult result;

	wf_engine_fire_now(d->route->row, how, input, WF_RUN_RECORD, &result);
	if (result.is_earlier)
		answer_run(d, has_ended(result.status) ? 200 : 202, &result.run_id, "duplicate");
	else if (result.answer != NULL)
		d->answer = result.answer;
	else if (strcmp(result.status, "completed") == 0)
		answer(d, 200, result.output);
	else if (has_ended(result.status))
		answer_error(d, 500, "the workflow failed", &result.run_id, NULL);
	else
		answer_run(d, 202, &result.run_id, NULL);
}

static void
fire(Delivery *d, Jsonb *input)
{
	const WfTriggerRow *row = d->route->row;
	WfFire		how = {.started_by = row->role};

	if (d->verdict.delivery_id != NULL)
		how.idempotency_key = psprintf("webhook:%s:%s", row->node, d->verdict.delivery_id);
	how.wants_answer = d->route->incoming.respond == WF_RESPOND_NODE;
	if (d->route->incoming.respond == WF_RESPOND_IMMEDIATELY)
		start_in_background(d, &how, input);
	else
		execute(d, &how, input);
}

/* -- the whole -- */

static void
attend(void *arg)
{
	Delivery   *d = arg;
	Jsonb	   *body;

	if (!ask(d))
	{
		answer_nothing_here(d);
		return;
	}
	d->stage = STAGE_READING;
	body = read_body(d);
	if (body == NULL)
		return;
	d->stage = STAGE_FIRING;
	fire(d, make_input(d, body));
}

/* What went wrong becomes an answer, or is thrown on. */
static void
answer_failure(Delivery *d, ErrorData *data)
{
	if (ERRCODE_TO_CATEGORY(data->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK)
		ReThrowError(data);
	if (d->stage != STAGE_FIRING && d->route != NULL)
		note(d, data->sqlerrcode, data->message);
	if (d->stage == STAGE_ASKING)
		answer_nothing_here(d);
	else if (d->stage == STAGE_READING)
		answer_error(d, 422, "the body could not be checked", NULL, NULL);
	else if (data->sqlerrcode == WF_ERRCODE_QUOTA_EXCEEDED)
	{
		d->retry_after_s = wf_store_quota_wait() > 0 ? wf_store_quota_wait() : RETRY_AFTER_S;
		answer_error(d, 429, "too many requests", NULL, NULL);
	}
	else
		answer_error(d, 500, "the workflow could not be started", NULL, NULL);
}

/* What is wrong with the request whatever its path is; false: it was answered. */
static bool
look_over(Delivery *d)
{
	const WfWebhook *request = d->request;
	const char *problem = NULL;
	JsonbValue	root;

	if (request->is_too_large)
	{
		answer_error(d, 413, "the request is too large", NULL, NULL);
		return false;
	}
	if (request->query != NULL)
	{
		wf_json_root(request->query, &root);
		if (!wf_json_is_object(&root))
			problem = "the query is no object";
	}
	if (problem == NULL)
	{
		if (request->headers != NULL)
			wf_json_root(request->headers, &root);
		d->headers = wf_hook_headers(request->headers == NULL ? NULL : &root, &problem);
	}
	if (problem != NULL)
		answer_error(d, 400, problem, NULL, NULL);
	return problem == NULL;
}

static void
receive(Delivery *d)
{
	if (d->request->path != NULL)
		d->path = wf_hook_request_path(d->request->path, strlen(d->request->path));
	if (d->request->method != NULL)
		d->method = wf_hook_method(d->request->method);
	wf_store_catch_up();
	SPI_connect();
	enter(d);
	SPI_finish();
	MemoryContextSwitchTo(d->memory);
	if (!look_over(d))
		return;
	PG_TRY();
	{
		ErrorData  *error = wf_subtransaction(attend, d);

		if (error != NULL)
			answer_failure(d, error);
	}
	PG_FINALLY();
	{
		if (d->routes != NULL)
			wf_webhook_release(d->routes);
	}
	PG_END_TRY();
}

Jsonb *
wf_engine_webhook(const WfWebhook *request)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow webhook", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Delivery	d = {.request = request, .memory = memory};
	JsonbValue	root;
	Jsonb	   *result;

	PreventCommandIfReadOnly("wf_webhook()");
	old = MemoryContextSwitchTo(memory);
	receive(&d);
	MemoryContextSwitchTo(old);
	wf_json_root(d.answer, &root);
	result = wf_json_copy(&root);
	MemoryContextDelete(memory);
	return result;
}

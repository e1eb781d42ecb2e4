/*
 * audit_refusal.c: requests that a rule on addresses refused, and code that went over a limit, in the trail.
 *
 * A run that is refused may ask again and again, and so may ten thousand runs: what they do is not to fill the trail. So a process
 * writes one entry a minute for a tenant and host (or workflow, of code), which says how many there were since the one before. What it
 * counts is in its memory; what was not told when it ends is told by wf_requests (wf_steps) alone, which has each of them. An entry
 * that is rolled back with its transaction counts as told.
 *
 * The dispatcher works for all tenants, and is not to wait for one of them: when the tenant's trail is locked, by a prepared
 * transaction perhaps, the next refusal after that tells of both.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/direct.h"
#include "store/request.h"
#include "utils/timestamp.h"

#define MOST_PLACES 256			/* hosts and workflows that are counted at once; they share places beyond that */
#define AGAIN_US USECS_PER_MINUTE

typedef struct Place
{
	uint64		hash;			/* of tenant, and host or workflow; 0: nothing is here */
	TimestampTz told_at;		/* 0: never */
	int64		n;				/* refusals since */
} Place;

static Place places[MOST_PLACES];

static Place *
place_of(const pg_uuid_t *tenant_id, const void *what, int bytes)
{
	uint64		hash = wf_store_hash(wf_store_hash(0, tenant_id->data, UUID_LEN), what, bytes);
	Place	   *place = &places[hash % MOST_PLACES];

	hash |= 1;
	if (place->hash != hash)
		*place = (Place) {.hash = hash};
	return place;
}

/* Counts n more; is it time to tell of them? */
static bool
is_due(Place *place, int64 n, TimestampTz now)
{
	place->n += n;
	return place->told_at == 0 || now - place->told_at >= AGAIN_US || now < place->told_at;
}

static void
told(Place *place, TimestampTz now)
{
	place->told_at = now;
	place->n = 0;
}

/* Of the error its message alone: its details have the path, which may be a secret's. */
static Jsonb *
facts_of(const WfRequestRow *request, const JsonbValue *error, int64 n)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "node", request->node);
	wf_json_put_field_cstring(w, "method", request->method);
	wf_json_put_field_cstring(w, "host", request->host);
	wf_json_put_field_int64(w, "refused", n);
	wf_json_put_field_cstring(w, "message", wf_json_get_cstring(error, "message"));
	wf_json_end_object(w);
	return wf_json_finish(w);
}

void
wf_store_audit_refusal(const WfRequestRow *request, const Jsonb *error, bool dont_wait)
{
	Place	   *place;
	TimestampTz now = wf_clock_now();
	JsonbValue	root;
	char	   *code;

	if (error == NULL)
		return;
	wf_json_root(error, &root);
	code = wf_json_get_cstring(&root, "code");
	if (code == NULL || strcmp(code, "WF011") != 0)
		return;
	place = place_of(&request->tenant_id, request->host, strlen(request->host));
	if (!is_due(place, 1, now))
		return;
	if (dont_wait && !wf_audit_lock(&request->tenant_id, true))
		return;
	wf_store_audit(&request->tenant_id, &(WfAudit) {.action = "request.refuse", .object_type = "run",
				   .object_id = &request->run_id, .object_name = request->host, .after = facts_of(request, &root, place->n),
				   .actor = GetUserNameFromId(request->role, true)});
	told(place, now);
}

void
wf_store_audit_code_refusal(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, const WfCodeRefusal *refusal)
{
	Place	   *place = place_of(tenant_id, refusal->workflow_id.data, UUID_LEN);
	TimestampTz now = wf_clock_now();
	WfJsonWriter *w;

	if (!is_due(place, refusal->n, now))
		return;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "node", refusal->node);
	wf_json_put_field_int64(w, "refused", place->n);
	wf_json_put_field_cstring(w, "message", refusal->message);
	wf_json_end_object(w);
	wf_store_audit(tenant_id, &(WfAudit) {.action = "code.refuse", .object_type = "run", .object_id = run_id,
				   .object_name = refusal->workflow, .after = wf_json_finish(w)});
	told(place, now);
}

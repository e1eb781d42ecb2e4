/*
 * audit_refusal.c: requests that a rule on addresses refused, in the trail.
 *
 * A run that is refused may ask again and again, and so may ten thousand runs: what they do is not to fill the trail. So a process
 * writes one entry a minute for a tenant and host, which says how many there were since the one before. What it counts is in
 * its memory; what was not told when it ends is told by wf_requests alone, which has each of them.
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

#define MOST_PLACES 256			/* hosts that are counted at once; they share places beyond that */
#define AGAIN_US USECS_PER_MINUTE

typedef struct Place
{
	uint64		hash;			/* of tenant and host; 0: nothing is here */
	TimestampTz told_at;		/* 0: never */
	int64		n;				/* refusals since */
} Place;

static Place places[MOST_PLACES];

static Place *
place_of(const WfRequestRow *request)
{
	uint64		hash = wf_store_hash(wf_store_hash(0, request->tenant_id.data, UUID_LEN), request->host, strlen(request->host));
	Place	   *place = &places[hash % MOST_PLACES];

	hash |= 1;
	if (place->hash != hash)
		*place = (Place) {.hash = hash};
	return place;
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
	place = place_of(request);
	place->n++;
	if (place->told_at != 0 && now - place->told_at < AGAIN_US && now >= place->told_at)
		return;
	if (dont_wait && !wf_audit_lock(&request->tenant_id, true))
		return;
	wf_store_audit(&request->tenant_id, &(WfAudit) {.action = "request.refuse", .object_type = "run",
				   .object_id = &request->run_id, .object_name = request->host, .after = facts_of(request, &root, place->n),
				   .actor = GetUserNameFromId(request->role, true)});
	place->told_at = now;
	place->n = 0;
}

/*
 * record.c: what the functions of this room say to the audit trail.
 *
 * A definition is in the entry as long as it is small; of any there is the digest, so that a version that was changed in its table
 * can be told from what was saved.
 *
 * A decision about an approval is signed: the entry's document has all that the person was shown and gave, and the entry's
 * digest is of the document's text. Who signs is current_user, as the database knows it; that nobody wrote the document
 * later is what the MAC of the entry says. Of parts that are large, and of data that may be personal, the document has the digest in
 * their place: {"sha256", "bytes"}.
 */
#include "postgres.h"

#include "api/api.h"
#include "api/record.h"
#include "base/json.h"
#include "base/text.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define DEFINITION_BYTES 8192	/* in an entry */
#define PART_BYTES 16384		/* of a signed document */

/* -- workflows -- */

static void
put_version_number(WfJsonWriter *w, const char *key, int version)
{
	if (version > 0)
		wf_json_put_field_int64(w, key, version);
}

/* {"lastVersion", "activeVersion", "status"} */
static Jsonb *
state_of(const WfWorkflowRow *row)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_version_number(w, "lastVersion", row->last_version);
	put_version_number(w, "activeVersion", row->active_version);
	wf_json_put_field_cstring(w, "status", row->status);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void
put_option(WfJsonWriter *w, const Jsonb *options, const char *name)
{
	const char *text = wf_api_option_text(options, name);

	if (text != NULL)
		wf_json_put_field_cstring(w, name, text);
}

void
wf_api_record_save(const WfTenant *tenant, const WfWorkflowRow *row, const WfVersionRow *version, int active_version,
				   const Jsonb *options)
{
	static const char *const texts[] = {"label", "comment", "description", "category"};
	WfJsonWriter *w = wf_json_writer_begin();
	uint8		digest[WF_CRYPT_HASH_BYTES];

	wf_json_begin_object(w);
	put_version_number(w, "version", version != NULL ? version->version : row->last_version);
	put_version_number(w, "activeVersion", active_version);
	for (int i = 0; i < lengthof(texts); i++)
		put_option(w, options, texts[i]);
	if (version != NULL)
	{
		wf_audit_digest(version->definition, digest);
		if (VARSIZE(version->definition) <= DEFINITION_BYTES)
			wf_json_put_member(w, "definition", version->definition);
	}
	wf_json_end_object(w);
	wf_store_audit(&tenant->tenant_id, &(WfAudit) {.action = "workflow.save", .object_type = "workflow",
				   .object_id = &row->workflow_id, .object_name = row->name,
				   .before = row->last_version > 0 ? state_of(row) : NULL, .after = wf_json_finish(w),
				   .digest = version != NULL ? digest : NULL});
}

void
wf_api_record_workflow(const WfTenant *tenant, const char *action, const WfWorkflowRow *row, int active_version,
					   const char *status)
{
	WfWorkflowRow after = *row;

	if (active_version > 0)
		after.active_version = active_version;
	if (status != NULL)
		after.status = status;
	wf_store_audit(&tenant->tenant_id, &(WfAudit) {.action = action, .object_type = "workflow", .object_id = &row->workflow_id,
				   .object_name = row->name, .before = state_of(row), .after = state_of(&after)});
}

/* -- runs and tasks -- */

void
wf_api_record_run(const WfTenant *tenant, const char *action, const pg_uuid_t *run_id, const Jsonb *after)
{
	wf_store_audit(&tenant->tenant_id, &(WfAudit) {.action = action, .object_type = "run", .object_id = run_id, .after = after});
}

void
wf_api_record_task(const WfTask *task, const char *action, const char *before, const char *after)
{
	wf_store_audit(&task->tenant_id, &(WfAudit) {.action = action, .object_type = "task", .object_id = &task->task_id,
				   .before = wf_store_audit_facts("claimedBy", before), .after = wf_store_audit_facts("claimedBy", after)});
}

/* -- signatures -- */

static void
put_digest(WfJsonWriter *w, const char *key, const void *data, size_t bytes)
{
	uint8		hash[WF_CRYPT_HASH_BYTES];

	if (!wf_crypt_sha256(data, bytes, hash))
		elog(ERROR, "could not compute a SHA-256 hash");
	wf_json_key(w, key, strlen(key));
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "sha256", wf_text_hex(hash, sizeof(hash)));
	wf_json_put_field_int64(w, "bytes", bytes);
	wf_json_end_object(w);
}

static void
put_text_part(WfJsonWriter *w, const char *key, const char *text)
{
	if (text == NULL)
		return;
	if (strlen(text) <= PART_BYTES)
		wf_json_put_field_cstring(w, key, text);
	else
		put_digest(w, key, text, strlen(text));
}

static void
put_json_part(WfJsonWriter *w, const char *key, const Jsonb *value, bool digest_only)
{
	char	   *text;

	if (value == NULL)
		return;
	if (VARSIZE(value) <= PART_BYTES && !digest_only)
	{
		wf_json_put_member(w, key, value);
		return;
	}
	text = JsonbToCString(NULL, unconstify(JsonbContainer *, &value->root), VARSIZE(value));
	put_digest(w, key, text, strlen(text));
	pfree(text);
}

static const char *
uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

void
wf_api_record_decision(const WfTask *task, const char *outcome, const Jsonb *data, TimestampTz at)
{
	WfJsonWriter *w;
	WfTaskDocument about;
	Jsonb	   *document;
	uint8		digest[WF_CRYPT_HASH_BYTES];

	wf_store_task_document(task, &about);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "task", uuid_text(&task->task_id));
	wf_json_put_field_cstring(w, "run", uuid_text(&task->run_id));
	put_text_part(w, "workflow", about.workflow);
	put_version_number(w, "version", about.version);
	put_text_part(w, "node", about.node);
	put_text_part(w, "title", about.title);
	put_text_part(w, "body", about.body);
	put_json_part(w, "form", about.form, false);
	put_json_part(w, "payload", about.payload, false);
	put_text_part(w, "outcome", outcome);
	/* what is in the trail stays there: wf_forget could not erase it */
	put_json_part(w, "data", data, about.is_personal);
	wf_json_put_field_cstring(w, "signedBy", GetUserNameFromId(GetUserId(), false));
	wf_json_put_field_cstring(w, "sessionRole", GetUserNameFromId(GetSessionUserId(), false));
	wf_json_put_field_cstring(w, "signedAt", wf_api_time_text(at));
	wf_json_end_object(w);
	document = wf_json_finish(w);
	wf_audit_digest(document, digest);
	wf_store_audit(&task->tenant_id, &(WfAudit) {.action = "task.complete", .object_type = "task", .object_id = &task->task_id,
				   .object_name = about.node, .after = document, .digest = digest});
}

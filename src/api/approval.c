/*
 * approval.c: wf_approve, wf_reject, and the asking for approval.
 *
 * In a tenant with the setting `approval`, whoever would make a version the active one leaves a request instead
 * (wf_api_may_activate), unless exactly that definition was approved before. Another member decides: nobody who saved the
 * version or asked for it, neither as the role that he was then, nor as another one that he can become: both the current role and that of
 * the session are compared, a superuser's too. What is not approved is no version that a run may be started of, by number, either
 * (wf_engine_require_approved).
 */
#include "postgres.h"

#include "api/api.h"
#include "base/text.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/approval.h"
#include "store/audit.h"

/* What is asked, or decided, of a version. */
static void
record(const WfTenant *tenant, const char *action, const WfWorkflowRow *row, int version, const char *comment)
{
	wf_store_audit(&tenant->tenant_id, &(WfAudit) {.action = action, .object_type = "workflow", .object_id = &row->workflow_id,
				   .object_name = row->name,
				   .after = wf_store_audit_facts("version", psprintf("%d", version), "comment", comment)});
}

bool
wf_api_may_activate(const WfTenant *tenant, const WfWorkflowRow *row, int version, bool sets_status)
{
	WfVersionKey key = {tenant->tenant_id, row->workflow_id, version};

	if (!wf_store_needs_approval(&key))
		return true;
	wf_store_request_approval(&key, sets_status);
	record(tenant, "approval.request", row, version, NULL);
	ereport(NOTICE, (errmsg("version %d of workflow \"%s\" waits for approval", version, row->name),
					 errhint("A member with \"workflow:approve\" who did not save it or ask for this may call wf_approve('%s', %d).",
							 row->name, version)));
	return false;
}

/* Throws 42501 for whoever may not decide over his own. */
pg_noreturn static void
refuse_own(const WfTenant *tenant, const char *name, int version)
{
	bool		is_one = GetUserId() == GetSessionUserId();

	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied to approve version %d of workflow \"%s\"", version, name),
					is_one ? errdetail("Role \"%s\" saved the version or asked for its approval.", GetUserNameFromId(GetUserId(), false)) :
					errdetail("Role \"%s\", or \"%s\" as which the session was begun, saved the version or asked for its approval.",
							  GetUserNameFromId(GetUserId(), false), GetUserNameFromId(GetSessionUserId(), false)),
					errhint("Another member of tenant \"%s\" with the permission \"workflow:approve\" has to.", tenant->name)));
}

/* The request, with the workflow locked; throws WF001, WF014, 42501. */
static WfWorkflowRow *
find_request(FunctionCallInfo fcinfo, WfTenant *tenant, WfVersionKey *key, WfApproval *approval)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	WfWorkflowRow *row;

	wf_api_not_null(fcinfo, 1, "version");
	wf_store_require_some(WF_WORKFLOW_APPROVE, tenant);
	row = wf_store_find_workflow(&tenant->tenant_id, name, true);
	if (row == NULL)
		wf_engine_not_found(tenant, name);
	wf_engine_check_right(tenant, WF_WORKFLOW_APPROVE, &row->workflow_id, name);
	*key = (WfVersionKey) {tenant->tenant_id, row->workflow_id, PG_GETARG_INT32(1)};
	if (!wf_store_pending_approval(key, approval))
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("version %d of workflow \"%s\" does not wait for approval", key->version, name),
						errhint("The view wf_approvals lists what does.")));
	return row;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_approve);

/* wf_approve(name, version, comment) */
Datum
wf_sql_approve(PG_FUNCTION_ARGS)
{
	char	   *comment = wf_api_text_or_null(fcinfo, 2);
	WfTenant	tenant;
	WfVersionKey key;
	WfApproval	approval;
	WfWorkflowRow *row;

	wf_store_catch_up();
	SPI_connect();
	row = find_request(fcinfo, &tenant, &key, &approval);
	if (approval.is_own)
		refuse_own(&tenant, row->name, key.version);
	if (!approval.is_same)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("version %d of workflow \"%s\" is not what approval was asked for", key.version, row->name),
						errdetail("Its definition has another digest now."),
						errhint("Reject it with wf_reject(), and save it again.")));
	wf_store_decide_approval(&tenant.tenant_id, &approval, true, comment);
	record(&tenant, "approval.approve", row, key.version, comment);
	wf_store_set_active(&tenant.tenant_id, &row->workflow_id, key.version);
	if (approval.sets_status)
		wf_store_set_status(&tenant.tenant_id, &row->workflow_id, "active");
	wf_engine_put_triggers(&tenant, &row->workflow_id);
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_reject);

/* wf_reject(name, version, comment); for who has asked, too: he takes it back. */
Datum
wf_sql_reject(PG_FUNCTION_ARGS)
{
	char	   *comment = wf_api_text_or_null(fcinfo, 2);
	WfTenant	tenant;
	WfVersionKey key;
	WfApproval	approval;
	WfWorkflowRow *row;

	wf_store_catch_up();
	SPI_connect();
	row = find_request(fcinfo, &tenant, &key, &approval);
	wf_store_decide_approval(&tenant.tenant_id, &approval, false, comment);
	record(&tenant, "approval.reject", row, key.version, comment);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * rights.c: what application roles stand for, and what functions ask for.
 *
 * viewer reads; member creates, updates, runs, cancels, replays, completes tasks and uses credentials
 * too; admin does all but deleting the tenant and naming owners; owner does all.
 *
 * The second table is what wf_permissions() publishes and docs/tenants.md follows; test/sql/api_rights.sql calls every function
 * as a role that has exactly the permission that is written here, and as one that has all others. wf_save asks for workflow:create or
 * workflow:update, whichever the name needs, and for code:write if the definition has code. A function that is not here fails that test.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/store.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define VIEWER (WF_WORKFLOW_READ | WF_RUN_READ | WF_CONNECTOR_READ)
#define MEMBER (VIEWER | WF_WORKFLOW_CREATE | WF_WORKFLOW_UPDATE | WF_WORKFLOW_EXECUTE | WF_RUN_CANCEL | \
				WF_RUN_REPLAY | WF_TASK_COMPLETE | WF_CREDENTIAL_USE)
#define ADMIN (MEMBER | WF_WORKFLOW_DELETE | WF_CONNECTOR_CREATE | WF_CONNECTOR_UPDATE | WF_CONNECTOR_DELETE | \
			   WF_CREDENTIAL_CREATE | WF_CREDENTIAL_READ | WF_CODE_WRITE | WF_TEAM_MANAGE | WF_AUDIT_READ | \
			   WF_PII_READ | WF_WORKFLOW_APPROVE)

static const struct
{
	const char *name;
	uint32		permissions;
}			app_roles[] = {
	{"viewer", VIEWER},
	{"member", MEMBER},
	{"admin", ADMIN},
	{"owner", ADMIN},
};

/* Two tables of one order: sorted by name. */
static const char *const permission_names[] = {
	"audit:read",
	"code:write",
	"connector:create",
	"connector:delete",
	"connector:read",
	"connector:update",
	"credential:create",
	"credential:read",
	"credential:use",
	"pii:read",
	"run:cancel",
	"run:read",
	"run:replay",
	"task:complete",
	"team:manage",
	"workflow:approve",
	"workflow:create",
	"workflow:delete",
	"workflow:execute",
	"workflow:read",
	"workflow:update",
};

static const WfPermission permissions[] = {
	WF_AUDIT_READ,
	WF_CODE_WRITE,
	WF_CONNECTOR_CREATE,
	WF_CONNECTOR_DELETE,
	WF_CONNECTOR_READ,
	WF_CONNECTOR_UPDATE,
	WF_CREDENTIAL_CREATE,
	WF_CREDENTIAL_READ,
	WF_CREDENTIAL_USE,
	WF_PII_READ,
	WF_RUN_CANCEL,
	WF_RUN_READ,
	WF_RUN_REPLAY,
	WF_TASK_COMPLETE,
	WF_TEAM_MANAGE,
	WF_WORKFLOW_APPROVE,
	WF_WORKFLOW_CREATE,
	WF_WORKFLOW_DELETE,
	WF_WORKFLOW_EXECUTE,
	WF_WORKFLOW_READ,
	WF_WORKFLOW_UPDATE,
};

StaticAssertDecl(lengthof(permission_names) == lengthof(permissions), "a name for each permission");

static const WfFunctionRight function_rights[] = {
	{"wf_activate", "workflow:update"},
	{"wf_approve", "workflow:approve"},
	{"wf_audit_head", "audit:read"},
	{"wf_await", "run:read"},
	{"wf_blocks", "workflow:read"},
	{"wf_call", "workflow:execute"},
	{"wf_can", "none"},
	{"wf_cancel", "run:cancel"},
	{"wf_claim_task", "task:complete"},
	{"wf_comment_task", "task:complete"},
	{"wf_complete_task", "task:complete"},
	{"wf_create_tenant", "team:manage"},
	{"wf_current_tenant", "none"},
	{"wf_define_role", "team:manage"},
	{"wf_delegate_task", "task:complete"},
	{"wf_delete", "workflow:delete"},
	{"wf_delete_tenant", "ownership"},
	{"wf_disable_trigger", "workflow:update"},
	{"wf_drop_credential", "credential:create"},
	{"wf_drop_role", "team:manage"},
	{"wf_drop_secret", "credential:create"},
	{"wf_dry_run", "workflow:execute"},
	{"wf_emit", "workflow:execute"},
	{"wf_enable_trigger", "workflow:update"},
	{"wf_eval", "workflow:read"},
	{"wf_explain", "workflow:read"},
	{"wf_export_audit", "audit:read"},
	{"wf_fail_task", "task:complete"},
	{"wf_finish_task", "task:complete"},
	{"wf_forget", "team:manage"},
	{"wf_grant", "team:manage"},
	{"wf_heartbeat", "task:complete"},
	{"wf_limit_host", "connector:update"},
	{"wf_measure_storage", "team:manage"},
	{"wf_migrate", "run:replay"},
	{"wf_next_runs", "workflow:read"},
	{"wf_pause", "run:cancel"},
	{"wf_permissions", "none"},
	{"wf_poll_tasks", "task:complete"},
	{"wf_register_block", "connector:create"},
	{"wf_reject", "workflow:approve"},
	{"wf_reset_circuit", "connector:update"},
	{"wf_resume", "run:cancel"},
	{"wf_retry", "run:replay"},
	{"wf_revoke", "team:manage"},
	{"wf_run", "workflow:execute"},
	{"wf_save", "code:write"},
	{"wf_save", "workflow:create"},
	{"wf_save", "workflow:update"},
	{"wf_set_credential", "credential:create"},
	{"wf_set_http_policy", "team:manage"},
	{"wf_set_secret", "credential:create"},
	{"wf_set_status", "workflow:update"},
	{"wf_set_tenant", "team:manage"},
	{"wf_set_tenant_status", "ownership"},
	{"wf_signal", "workflow:execute"},
	{"wf_start", "workflow:execute"},
	{"wf_start_many", "workflow:execute"},
	{"wf_unclaim_task", "task:complete"},
	{"wf_use_tenant", "membership"},
	{"wf_validate", "workflow:read"},
	{"wf_verify_audit", "audit:read"},
	{"wf_verify_signature", "audit:read"},
	{"wf_versions", "workflow:read"},
	{"wf_webhook", "workflow:execute"},
};

uint32
wf_store_permissions(const char *app_role)
{
	for (int i = 0; i < lengthof(app_roles); i++)
		if (strcmp(app_roles[i].name, app_role) == 0)
			return app_roles[i].permissions;
	return 0;
}

uint32
wf_store_permission(const char *name)
{
	for (int i = 0; i < lengthof(permission_names); i++)
		if (strcmp(permission_names[i], name) == 0)
			return permissions[i];
	return 0;
}

const char *
wf_store_permission_name(WfPermission permission)
{
	for (int i = 0; i < lengthof(permissions); i++)
		if (permissions[i] == permission)
			return permission_names[i];
	return "unknown";
}

uint32
wf_store_permission_set(ArrayType *names)
{
	uint32		set = 0;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	if (names == NULL)
		return 0;
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			set |= wf_store_permission(TextDatumGetCString(values[i]));
	return set;
}

const char *const *
wf_store_permission_names(int *n)
{
	*n = lengthof(permission_names);
	return permission_names;
}

const WfFunctionRight *
wf_store_function_rights(int *n)
{
	*n = lengthof(function_rights);
	return function_rights;
}

/*
 * rights.c: what the application roles stand for.
 *
 * viewer reads; member creates, updates, runs, cancels, replays, completes tasks and uses credentials
 * too; admin does all but deleting the tenant and naming owners; owner does all.
 */
#include "postgres.h"

#include "store/store.h"

#define VIEWER (WF_WORKFLOW_READ | WF_RUN_READ | WF_CONNECTOR_READ)
#define MEMBER (VIEWER | WF_WORKFLOW_CREATE | WF_WORKFLOW_UPDATE | WF_WORKFLOW_EXECUTE | WF_RUN_CANCEL | \
				WF_RUN_REPLAY | WF_TASK_COMPLETE | WF_CREDENTIAL_USE)
#define ADMIN (MEMBER | WF_WORKFLOW_DELETE | WF_CONNECTOR_CREATE | WF_CONNECTOR_UPDATE | WF_CONNECTOR_DELETE | \
			   WF_CREDENTIAL_CREATE | WF_CREDENTIAL_READ | WF_CODE_WRITE | WF_TEAM_MANAGE | WF_AUDIT_READ | WF_PII_READ)

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

static const struct
{
	const char *name;
	uint32		permission;
}			permissions[] = {
	{"workflow:create", WF_WORKFLOW_CREATE},
	{"workflow:read", WF_WORKFLOW_READ},
	{"workflow:update", WF_WORKFLOW_UPDATE},
	{"workflow:delete", WF_WORKFLOW_DELETE},
	{"workflow:execute", WF_WORKFLOW_EXECUTE},
	{"run:read", WF_RUN_READ},
	{"run:cancel", WF_RUN_CANCEL},
	{"run:replay", WF_RUN_REPLAY},
	{"task:complete", WF_TASK_COMPLETE},
	{"connector:create", WF_CONNECTOR_CREATE},
	{"connector:read", WF_CONNECTOR_READ},
	{"connector:update", WF_CONNECTOR_UPDATE},
	{"connector:delete", WF_CONNECTOR_DELETE},
	{"credential:create", WF_CREDENTIAL_CREATE},
	{"credential:read", WF_CREDENTIAL_READ},
	{"credential:use", WF_CREDENTIAL_USE},
	{"code:write", WF_CODE_WRITE},
	{"team:manage", WF_TEAM_MANAGE},
	{"audit:read", WF_AUDIT_READ},
	{"pii:read", WF_PII_READ},
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
	for (int i = 0; i < lengthof(permissions); i++)
		if (strcmp(permissions[i].name, name) == 0)
			return permissions[i].permission;
	return 0;
}

const char *
wf_store_permission_name(WfPermission permission)
{
	for (int i = 0; i < lengthof(permissions); i++)
		if (permissions[i].permission == (uint32) permission)
			return permissions[i].name;
	return "unknown";
}

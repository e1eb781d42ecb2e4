/*
 * store.h: the engine's own tables.
 *
 * All SQL on tables of schema wf is in this room, one statement per WfStatementId, prepared once per
 * backend and run as wf_engine. Callers hold an SPI connection. Results are in CurrentMemoryContext.
 */
#ifndef WF_STORE_STORE_H
#define WF_STORE_STORE_H

#include "postgres.h"
#include "base/error.h"
#include "base/json.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/uuid.h"

/* -- the role scope (role.c) -- */

typedef struct WfRoleScope
{
	Oid			user;
	int			context;
} WfRoleScope;

/* Becomes wf_engine until wf_store_leave. An ERROR restores the user by the end of the (sub)transaction
 * that it aborts. Throws 55000 when the role is missing. */
extern void wf_store_enter(WfRoleScope *scope);
extern void wf_store_leave(const WfRoleScope *scope);

/* Is current_user a gateway (a member of wf_gateway), which may hand over webhooks to all tenants? */
extern bool wf_store_is_gateway(void);

/* -- tenants and rights (tenant.c, rights.c) -- */

typedef enum WfPermission
{
	WF_WORKFLOW_CREATE = 1 << 0,
	WF_WORKFLOW_READ = 1 << 1,
	WF_WORKFLOW_UPDATE = 1 << 2,
	WF_WORKFLOW_DELETE = 1 << 3,
	WF_WORKFLOW_EXECUTE = 1 << 4,
	WF_RUN_READ = 1 << 5,
	WF_RUN_CANCEL = 1 << 6,
	WF_RUN_REPLAY = 1 << 7,
	WF_TASK_COMPLETE = 1 << 8,
	WF_CONNECTOR_CREATE = 1 << 9,
	WF_CONNECTOR_READ = 1 << 10,
	WF_CONNECTOR_UPDATE = 1 << 11,
	WF_CONNECTOR_DELETE = 1 << 12,
	WF_CREDENTIAL_CREATE = 1 << 13,
	WF_CREDENTIAL_READ = 1 << 14,
	WF_CREDENTIAL_USE = 1 << 15,
	WF_CODE_WRITE = 1 << 16,
	WF_TEAM_MANAGE = 1 << 17,
	WF_AUDIT_READ = 1 << 18,
	WF_PII_READ = 1 << 19,
	WF_WORKFLOW_APPROVE = 1 << 20,
} WfPermission;

/* Those that can be given for some workflows only; the others are for what a tenant has but once. */
#define WF_OF_WORKFLOWS (WF_WORKFLOW_CREATE | WF_WORKFLOW_READ | WF_WORKFLOW_UPDATE | WF_WORKFLOW_DELETE | \
	WF_WORKFLOW_EXECUTE | WF_WORKFLOW_APPROVE | WF_RUN_READ | WF_RUN_CANCEL | WF_RUN_REPLAY | WF_TASK_COMPLETE | \
	WF_CREDENTIAL_USE | WF_CODE_WRITE | WF_PII_READ)

/* Permissions of a built-in application role; 0 for any other. */
extern uint32 wf_store_permissions(const char *app_role);
/* The permission of this name (`workflow:create`), or 0. */
extern uint32 wf_store_permission(const char *name);
/* The name of a single permission. */
extern const char *wf_store_permission_name(WfPermission permission);
/* The permissions of names as a text[] has them, as a set; names that are none do not count. */
extern uint32 wf_store_permission_set(ArrayType *names);
/* Names of all permissions, sorted. */
extern const char *const *wf_store_permission_names(int *n);

/* What a function of the SQL interface asks for: a permission, or `ownership` (of the tenant, or to manage the one above it), `membership`, or `none`. */
typedef struct WfFunctionRight
{
	const char *function;
	const char *permission;
} WfFunctionRight;

extern const WfFunctionRight *wf_store_function_rights(int *n);

typedef struct WfTenant
{
	pg_uuid_t	tenant_id;
	char		name[256];
	uint32		permissions;	/* of current_user in it */
	uint32		narrowed;		/* those that it has for some workflows of it, whatever else it has */
	bool		owner;			/* may name owners */
} WfTenant;

/*
 * The current tenant of current_user: the one that workflow.tenant names, else the only one that it is
 * a member of. False when there is none; *problem then says why, if asked.
 */
extern bool wf_store_current_tenant(WfTenant *tenant, WfError **problem);

/* The current tenant; throws 42501 when there is none or current_user lacks the permission, or has it for some workflows only. */
extern void wf_store_require(WfPermission permission, WfTenant *tenant);

/*
 * For what is done to one workflow: has current_user the permission for any? Throws 42501 as above. Whoever has found the
 * workflow then asks wf_store_allows.
 */
extern void wf_store_require_some(WfPermission permission, WfTenant *tenant);
/* Throws 42501: the permission is missing. */
pg_noreturn extern void wf_store_refuse(const WfTenant *tenant, WfPermission permission);

/* -- some workflows of a tenant (narrow.c) -- */

/* Has current_user, whose rights in the tenant these are, the permission for this workflow? */
extern bool wf_store_is_narrowed_to(const WfTenant *tenant, uint32 permission, const pg_uuid_t *workflow_id);
static inline bool
wf_store_allows(const WfTenant *tenant, uint32 permission, const pg_uuid_t *workflow_id)
{
	return (tenant->permissions & permission) != 0 ||
		((tenant->narrowed & permission) != 0 && wf_store_is_narrowed_to(tenant, permission, workflow_id));
}

/* Is that the workflow's category? */
extern bool wf_store_has_category(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *category);
/* The same for one that there is not yet, by its category (or NULL). */
extern bool wf_store_allows_category(const WfTenant *tenant, uint32 permission, const char *category);

/*
 * The same for the workflow of a run or a task. False when the caller is to be told what is said of one that does not exist; throws
 * 42501 when current_user may read it, but lacks the permission. Own SPI.
 */
extern bool wf_store_allows_run(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *run_id);
extern bool wf_store_allows_task(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *task_id);
/* The same for the workflow of a trigger; never throws. */
extern bool wf_store_allows_trigger(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *trigger_id);
/* Ids of the workflows that current_user has the permission for, as a sorted uuid[]; NULL: all. Needs an SPI connection. */
extern ArrayType *wf_store_allowed(const WfTenant *tenant, WfPermission permission);

/* A tenant by name, or by id, if current_user may act in it. */
extern bool wf_store_tenant_named(const char *name, WfTenant *tenant);
extern bool wf_store_tenant_of(const pg_uuid_t *tenant_id, WfTenant *tenant);
/* The id of a tenant by its name, whoever asks; false: there is none. */
extern bool wf_store_find_tenant(const char *name, pg_uuid_t *tenant_id);

/* -- tenants that are not active (tenant_status.c) -- */

typedef enum WfTenantStatus
{
	WF_TENANT_ACTIVE,
	WF_TENANT_SUSPENDED,
	WF_TENANT_ARCHIVED,
	WF_TENANT_DELETING,
} WfTenantStatus;

/* Its own, or that of a tenant above if that is worse; as of now, whatever the transaction's snapshot. Cheap. */
extern WfTenantStatus wf_store_tenant_status(const pg_uuid_t *tenant_id);
/* Ids of all that are not active (uuid[]), in CurrentMemoryContext. */
extern ArrayType *wf_store_halted_tenants(void);
/* Throws 55000 when what the permission is for is not to be done in the tenant now. wf_store_require asks this, too. */
extern void wf_store_require_open(const WfTenant *tenant, uint32 permission);

/* -- settings of tenants (tenant_settings.c) -- */

/* What holds in the tenant: its own, or that of the nearest tenant above that has one. False: there is none. */
extern bool wf_store_tenant_setting(const pg_uuid_t *tenant_id, const char *key, JsonbValue *value);
/* The limits of a call of code in the tenant; -1: none. */
typedef struct WfTenantCode
{
	int64		log_lines;
	int64		memory_bytes;
	int64		time_ms;
} WfTenantCode;
extern void wf_store_tenant_code(const pg_uuid_t *tenant_id, WfTenantCode *code);
/* Names of those that there are, in order. */
extern int	wf_store_tenant_setting_names(const char *const **names);
/* What a value must be that is wrong for the setting; NULL: it is right. */
extern const char *wf_store_check_tenant_setting(const char *name, const JsonbValue *value);

/* The same by a membership of its own, in the tenant or above: a superuser is a member where one says so, and nowhere else. */
extern bool wf_store_is_member(const pg_uuid_t *tenant_id, WfTenant *tenant);

extern void wf_store_insert_tenant(const pg_uuid_t *tenant_id, const char *name, const pg_uuid_t *parent, Jsonb *quotas,
								   Jsonb *settings, int reserved_workers);
/* Ids (pg_uuid_t *) of the tenants that current_user is a member of, and of those among them that it manages. */
extern void wf_store_my_tenants(List **members, List **managed);
extern bool wf_store_tenant_exists(const char *name);

/* -- members, and roles of a tenant's own making (member.c) -- */

/* What a membership is for. */
typedef struct WfGrantScope
{
	pg_uuid_t	workflow_id;	/* zeros: not narrowed to a workflow */
	const char *category;		/* empty: not narrowed to a category */
} WfGrantScope;

extern void wf_store_put_member(const pg_uuid_t *tenant_id, Oid role, const char *app_role, const WfGrantScope *scope);
/* All memberships of the role in the tenant. */
extern bool wf_store_delete_member(const pg_uuid_t *tenant_id, Oid role);
/* The one that is narrowed to a workflow of this name, deleted ones too, or (else) to this category. */
extern bool wf_store_delete_narrowed(const pg_uuid_t *tenant_id, Oid role, const char *workflow, const char *category);
/* Application role of exactly this role in the tenant, not narrowed, or NULL. */
extern const char *wf_store_member_role(const pg_uuid_t *tenant_id, Oid role);
/* All that its memberships in the tenant hold; 0: none. */
extern uint32 wf_store_member_permissions(const pg_uuid_t *tenant_id, Oid role);
/* Owners that still exist as roles. */
extern int	wf_store_count_owners(const pg_uuid_t *tenant_id);
/* Waits for whoever changes the tenant's members and keeps others waiting until the transaction ends. */
extern void wf_store_lock_tenant(const pg_uuid_t *tenant_id);

/* Permissions of an application role, built in or the tenant's; false: there is no such role. */
extern bool wf_store_find_role(const pg_uuid_t *tenant_id, const char *name, uint32 *permissions);
extern void wf_store_put_role(const pg_uuid_t *tenant_id, const char *name, ArrayType *permissions);
extern bool wf_store_delete_role(const pg_uuid_t *tenant_id, const char *name);
/* Has any member this application role? */
extern bool wf_store_role_is_used(const pg_uuid_t *tenant_id, const char *name);
/* Names of the tenant's own roles, for hints. */
extern const char **wf_store_role_names(const pg_uuid_t *tenant_id, int *n);

/* -- workflows (workflow.c) -- */

typedef struct WfWorkflowRow
{
	pg_uuid_t	workflow_id;
	const char *name;
	const char *status;
	int			active_version;	/* 0: none */
	int			last_version;
} WfWorkflowRow;

typedef struct WfVersionRow
{
	int			version;
	Jsonb	   *definition;
	const char *search_path;
	Oid			owner;
} WfVersionRow;

/* By name; `lock` takes the row FOR UPDATE. NULL when there is none. */
extern WfWorkflowRow *wf_store_find_workflow(const pg_uuid_t *tenant_id, const char *name, bool lock);
/* By id, a deleted one too. */
extern WfWorkflowRow *wf_store_find_workflow_id(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id);
extern WfVersionRow *wf_store_find_version(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version);
extern void wf_store_insert_workflow(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *name, Oid owner);
extern void wf_store_insert_version(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const WfVersionRow *row,
									const char *label, const char *comment);
/* Sets last_version; description and category unless NULL. */
extern void wf_store_touch_workflow(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int last_version,
									const char *description, const char *category);
extern void wf_store_set_active(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version);
extern void wf_store_set_status(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *status);
/* Names of the tenant's workflows, at most `most`, for hints. */
extern const char **wf_store_workflow_names(const pg_uuid_t *tenant_id, int most, int *n);

/* -- registered blocks (workflow.c) -- */

typedef struct WfBlockRow
{
	const char *type;
	const char *function;		/* qualified signature */
	Jsonb	   *config_schema;
	int			n_ports;
	const char **ports;
} WfBlockRow;

extern WfBlockRow *wf_store_find_block(const pg_uuid_t *tenant_id, const char *type);
extern List *wf_store_list_blocks(const pg_uuid_t *tenant_id);
extern void wf_store_put_block(const pg_uuid_t *tenant_id, const char *type, const char *function, Jsonb *config_schema,
							   ArrayType *ports);

/* -- runs (run.c) -- */

typedef struct WfRunRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	run_id;
	pg_uuid_t	workflow_id;
	int			version;
	const char *status;
	const char *trigger;
	Jsonb	   *input;
	Jsonb	   *output;			/* or NULL */
	Jsonb	   *error;			/* or NULL */
	const char *correlation_id;	/* or NULL */
	ArrayType  *tags;			/* text[], or NULL */
	const char *idempotency_key;	/* or NULL */
	const pg_uuid_t *parent_run_id;	/* or NULL */
	Oid			started_by;
	TimestampTz started_at;		/* 0: it ended before it began */
	TimestampTz finished_at;
	int			attempt;		/* from 1 */
	TimestampTz queued_at;
} WfRunRow;

/* Inserts an ended run. Throws 23505 when its idempotency key is taken. */
extern void wf_store_insert_run(const WfRunRow *row);

/* One step as the journal's array holds it. */
typedef struct WfStepRow
{
	int			seq;
	const char *node;
	const char *path;
	const char *type;
	const char *status;
	const char *port;			/* or NULL */
	int			attempt;
	int			input_from;		/* -1: `input` holds it */
	Jsonb	   *input;			/* or NULL */
	Jsonb	   *output;			/* or NULL */
	Jsonb	   *error;			/* or NULL */
	TimestampTz started_at;
	int64		duration_us;
	ArrayType  *log;			/* text[], or NULL */
} WfStepRow;

/* A wf.step as a composite Datum in CurrentMemoryContext; it holds copies of all. */
extern Datum wf_store_form_step(const WfStepRow *row);
typedef struct WfSegmentRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	run_id;
	int			segment;		/* from 1 */
	int			attempt;		/* of the run */
	int			first_seq;
	TimestampTz started_at;
	TimestampTz finished_at;
	const char *status;
	int			n_steps;
	Datum	   *steps;			/* wf_store_form_step */
} WfSegmentRow;

extern void wf_store_insert_segment(const WfSegmentRow *row);

/* -- caches (cache.c) -- */

/* Counts up whenever something that caches are made from may have changed: tenants, members, roles,
 * workflows, versions, registered blocks, types. */
extern uint64 wf_store_generation(void);
/* The same for tenants alone. */
extern uint64 wf_store_tenants_generation(void);
/* True when what was looked up since that generation may be kept. */
extern bool wf_store_may_cache(uint64 generation_before);
/* The same, but until the transaction ends: in one with one snapshot what that yields stays right for it alone. */
extern bool wf_store_may_cache_here(uint64 generation_before);
/* Processes pending invalidations, so that wf_store_generation is current as of now. */
extern void wf_store_catch_up(void);
/* Registers invalidation callbacks; once from _PG_init. */
extern void wf_store_init(void);

#endif

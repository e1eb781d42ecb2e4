/*
 * trigger.h: rows of triggers. Callers hold an SPI connection; results are in CurrentMemoryContext.
 */
#ifndef WF_STORE_TRIGGER_H
#define WF_STORE_TRIGGER_H

#include "store/store.h"

/* A trigger node of a workflow's active version. */
typedef struct WfTriggerRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	trigger_id;		/* stays the same from one version to the next */
	pg_uuid_t	workflow_id;
	const char *workflow;		/* its name; not written */
	const char *node;
	int			version;
	const char *type;			/* trigger.row ... */
	Oid			role;			/* who saved the version */
	bool		enabled;		/* nobody has disabled it */
	bool		installed;		/* enabled, and the workflow is active: it fires */
	bool		definer;		/* runs execute as `role`, else as whoever made it fire */
	int			priority;
	int			gate_size;		/* settings.maxConcurrency; 0: unbounded */
	const char *gate_key;		/* settings.concurrencyKey, an expression; or NULL */
	const char *gate_policy;	/* or NULL */
	Jsonb	   *config;			/* of the node */
	const char *search_path;	/* of the version */
	Oid			relation;		/* trigger.row: the table; it may be gone. Else InvalidOid */
	const char *event;			/* trigger.event, else NULL */
	bool		is_personal;	/* the version marks personal data */
	const char *route;			/* trigger.webhook: what no other one of the tenant may have; else NULL */
} WfTriggerRow;

/* All of a workflow (WfTriggerRow *), by node. */
/* Some of a tenant's, at most `most` (WfTriggerRow *). */
extern List *wf_store_triggers_of_tenant(const pg_uuid_t *tenant_id, int most);
extern List *wf_store_triggers_of(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id);
/* NULL when there is none. */
extern WfTriggerRow *wf_store_find_trigger(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *node);
/* By its id, installed or not; NULL when there is none. */
extern WfTriggerRow *wf_store_find_trigger_id(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id);
/* Those of a tenant that fire: of a type, and of an event (WfTriggerRow *). */
extern List *wf_store_triggers_of_type(const pg_uuid_t *tenant_id, const char *type);
extern List *wf_store_triggers_of_event(const pg_uuid_t *tenant_id, const char *event);
/* The trigger that has the route, installed or not; NULL: nobody has. */
extern WfTriggerRow *wf_store_route_owner(const pg_uuid_t *tenant_id, const char *route);
/* Inserts it or, when the workflow has one of this node, updates that, which keeps its id. Throws 23505 when the route is taken. */
extern void wf_store_put_trigger(const WfTriggerRow *row);
extern void wf_store_delete_trigger(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id);

#endif

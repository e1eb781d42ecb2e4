/*
 * listen.h: triggers that listen: for an event, or for failed runs. Private to this room.
 */
#ifndef WF_ENGINE_LISTEN_H
#define WF_ENGINE_LISTEN_H

#include "engine/triggers.h"

/* trigger.event: emit.c; trigger.error: told.c */
extern const TriggerKind wf_trigger_event_kind;
extern const TriggerKind wf_trigger_error_kind;

typedef struct Listener
{
	WfTriggerRow row;
	const char *condition_source;	/* `condition`; or NULL */
	const WfExpr *condition;	/* NULL: there is none, or it does not compile */
	int64		debounce_ms;
	List	   *workflows;		/* char *: names; NIL: all */
} Listener;

/* Installed triggers of a tenant (Listener *): of an event, and of a type. From the cache, where they stay as they are until the
 * transaction ends. Need an SPI connection. */
extern List *wf_listeners_of_event(const pg_uuid_t *tenant_id, const char *event);
extern List *wf_listeners_of_type(const pg_uuid_t *tenant_id, const char *type);
/* The names in a trigger.error's `workflows` (char *). */
extern List *wf_listener_workflows(const Jsonb *config);
/* Fills what the row's config says, in CurrentMemoryContext. */
extern void wf_listener_read(Listener *listener, const WfTriggerRow *row);

#endif

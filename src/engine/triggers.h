/*
 * triggers.h: trigger nodes of active versions: checked when saved, installed when activated. Private to this room.
 */
#ifndef WF_ENGINE_TRIGGERS_H
#define WF_ENGINE_TRIGGERS_H

#include "engine/engine.h"
#include "store/trigger.h"

/* A trigger node and what it is of. */
typedef struct TriggerNode
{
	const WfTenant *tenant;
	const char *workflow;		/* its name; NULL: of a definition that has none (wf_validate) */
	const WfGraph *graph;
	const WfNode *node;
	const char *search_path;
} TriggerNode;

/* What the engine does for one type of trigger; each may be NULL. All need an SPI connection. */
typedef struct TriggerKind
{
	const char *type;
	/* When the definition is saved: reports as errors what the database alone can tell. Throws nothing for a wrong definition. */
	void		(*check) (const TriggerNode *trigger, WfDiagnostics *found);
	/* Fills what the row is found by: relation, event, route. The config was checked. */
	void		(*fill) (const TriggerNode *trigger, WfTriggerRow *row);
	/* The row was written: makes, renews or (not `installed`) removes what belongs to it elsewhere. `before` is the row as it
	 * was, or NULL. As the current user, who has the right workflow:update. */
	void		(*put) (const WfTriggerRow *row, const WfTriggerRow *before);
	/* The row is about to be deleted: removes that for good. */
	void		(*drop) (const WfTriggerRow *row);
} TriggerKind;

extern const TriggerKind wf_trigger_schedule_kind;	/* schedule.c */

#endif

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
	bool		as_owner;		/* its runs execute as who saved the version, whatever `security` says */
	/* When the definition is saved: reports as errors what the database alone can tell. Throws nothing for a wrong definition. */
	void		(*check) (const TriggerNode *trigger, WfDiagnostics *found);
	/* Fills what the row is found by: relation, event, route. The config was checked. */
	void		(*fill) (const TriggerNode *trigger, WfTriggerRow *row);
	/* Removes what belonged to `before` elsewhere and does not belong to `row` (NULL: there is none any more). It locks what it
	 * changes for all others; put never needs more than that. */
	void		(*clear) (const WfTriggerRow *row, const WfTriggerRow *before);
	/* An installed row was written: makes, or renews, what belongs to it elsewhere; `before` is the row as it was, or NULL. As
	 * the current user, who has the right workflow:update. */
	void		(*put) (const WfTriggerRow *row, const WfTriggerRow *before);
	/* What keeps it from firing, as far as the database alone can tell; NULL: nothing. In CurrentMemoryContext. Throws nothing
	 * for what it finds. */
	const char *(*problem) (const WfTriggerRow *row);
} TriggerKind;

/* The kind of a type; one with nothing to it when there is nothing to do for it. */
extern const TriggerKind *wf_trigger_kind(const char *type);

extern const TriggerKind wf_trigger_schedule_kind;	/* schedule.c */

#endif

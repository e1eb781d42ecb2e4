/*
 * personal.h: personal data of a run, out of what is written of it. Private to this room.
 */
#ifndef WF_ENGINE_PERSONAL_H
#define WF_ENGINE_PERSONAL_H

#include "base/pii.h"
#include "engine/state.h"

/* Paths of what the graph's schemas and the tenant's setting `piiPaths` mark, in CurrentMemoryContext; NULL: nothing is. */
extern const WfPiiPaths *wf_personal_paths(const pg_uuid_t *tenant_id, const WfGraph *graph);
/* Adds what is wrong with the marks. */
extern void wf_personal_check(const WfGraph *graph, WfDiagnostics *found);
/* Has a trigger's run personal data? Reads the tenant's settings when they may have changed. */
extern bool wf_personal_trigger(const WfTriggerRow *trigger);
/* The same as of the last time that was asked, where nothing can be read: after an error. */
extern bool wf_personal_trigger_is_known(const WfTriggerRow *trigger);

/* A graph with marks is executed in the run: what it marks in its input is known from now on. */
extern void wf_personal_join(Run *run, const WfCompiled *compiled, const JsonbValue *input);
/* What is written in place of a value or text of the run; in CurrentMemoryContext. Only for runs with run->is_personal. */
extern Jsonb *wf_personal_hide(Run *run, const Jsonb *json);
extern char *wf_personal_hide_text(Run *run, const char *text);
/* What a child run must treat as personal, or NULL. */
extern Jsonb *wf_personal_known(Run *run);
/* Writes what the tokens stand for that were made in this segment. */
extern void wf_personal_save(Run *run);

#endif

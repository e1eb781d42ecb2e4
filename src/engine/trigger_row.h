/*
 * trigger_row.h: trigger.row. Private to this room.
 */
#ifndef WF_ENGINE_TRIGGER_ROW_H
#define WF_ENGINE_TRIGGER_ROW_H

#include "engine/start.h"
#include "engine/triggers.h"

extern const TriggerKind wf_trigger_row_kind;

/* Registers its callback; once. */
extern void wf_trigger_row_init(void);

#endif

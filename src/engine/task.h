/*
 * task.h: tasks of steps. Private to this room.
 */
#ifndef WF_ENGINE_TASK_H
#define WF_ENGINE_TASK_H

#include "engine/state.h"

/* Writes the task that the frame's open step waits for. */
extern void wf_task_insert(Run *run, Frame *frame, const WfWait *wait);

#endif

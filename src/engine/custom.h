/*
 * custom.h: blocks that tenants registered. Private to this room.
 */
#ifndef WF_ENGINE_CUSTOM_H
#define WF_ENGINE_CUSTOM_H

/* Lets the registry of blocks find registered ones; once, from wf_engine_init. */
extern void wf_custom_init(void);

/* Frees blocks that were forgotten; when no graph is held or being made. */
extern void wf_custom_give_back(void);

#endif

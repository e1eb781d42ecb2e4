/*
 * init.c: what the engine sets up when the library is loaded.
 */
#include "postgres.h"

#include "engine/custom.h"
#include "engine/engine.h"

void
wf_engine_init(void)
{
	wf_custom_init();
}

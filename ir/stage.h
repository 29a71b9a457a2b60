/* The stages of a module; the verifier holds a module to the one it has reached.  ORDER
 * STAGE */
#ifndef TN_IR_STAGE_H
#define TN_IR_STAGE_H

typedef enum Stage {
    STAGE_TYPED,     /* from the frontend: every value typed; attack allowed */
    STAGE_FLAT,      /* after attack: grad, stop, copy allowed */
    STAGE_PRIMITIVE, /* after autodiff: plain tensor ops and repeat */
    STAGE_GROUPS,    /* after fuse: outside of groups only const, call, get, repeat */
    STAGE_READY,     /* every group has a schedule, every value a place */
} Stage;

#endif

// Parts that weigh much and show seldom or late: each is loaded when it first shows.
import type { ElDatePicker as Day } from 'element-plus'
import { defineAsyncComponent, type Component } from 'vue'
import type Fields from './ContractFields.vue'
import type Form from './ContractForm.vue'

// An async component takes what the one it stands for takes; that is all the types have to know.
const later = <T>(load: () => Promise<{ default: unknown }>) => defineAsyncComponent(load as () => Promise<{ default: Component }>) as unknown as T

/** The form of an RPC, with its pickers and the compiled contract. */
export const ContractForm = later<typeof Form>(() => import('./ContractForm.vue'))
export const ContractFields = later<typeof Fields>(() => import('./ContractFields.vue'))
export const ElDatePicker = later<typeof Day>(() => import('./Day.vue'))

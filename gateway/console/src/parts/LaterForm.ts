// The form of an RPC, loaded when one opens: with its pickers and the compiled contract it weighs as much as a page.
import { defineAsyncComponent } from 'vue'
import type ContractForm from './ContractForm.vue'

export default defineAsyncComponent(() => import('./ContractForm.vue')) as unknown as typeof ContractForm

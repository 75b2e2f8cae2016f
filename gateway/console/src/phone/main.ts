// The phone: JSON, no kit, pages of its own.
import { createApp } from 'vue'
import '../style/tokens.css'
import '../style/base.css'
import './phone.css'
import { district } from '../api/place'
import { begin } from '../console/settings'
import App from './App.vue'
import { PAGES } from './routes'
import { start } from './router'

begin()
start(PAGES)
createApp(App).mount('#app')

// Keeps the pages themselves, so that they open without a network. In development they change too often.
if (import.meta.env.PROD && 'serviceWorker' in navigator) addEventListener('load', () => navigator.serviceWorker.register(`${district}/m/sw.js`, { scope: `${district}/m` }).catch(error => console.warn(error)))

// The login page is a plain form; this only lets the theme be chosen there, too.
import './base.js'
